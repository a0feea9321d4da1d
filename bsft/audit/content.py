"""What a scene says about its problem, and where: reported, not limited.

A potassium of 7.4 may be found by its number. Then the same number stands in the handled control, where somebody has
dealt with it, and what tells twins apart must not tell a problem from its control.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bsft.audit.corpus import Pair
from bsft.audit.learners import category_learner, text_learner
from bsft.audit.limits import Finding
from bsft.audit.texts import Texts, View, scene
from bsft.audit.units import Units

CONTENT: tuple[View, ...] = ("words", "words and numbers")


def probe_content(units: Units, pairs: Sequence[Pair], scenes: Mapping[View, Texts]) -> Iterator[Finding]:
    """Problems against their clean twins and against their controls, by a probe fitted on twins and by one of its own.

    Args:
        units: perturbed, clean, perturbed ... of the pairs; or, without pairs, items of which some need a flag.
        scenes: all scenes as their words, and as words and numbers.
    """
    controls = [pair.control for pair in pairs if pair.control is not None]
    n_twins, n_controls = len(units.rows), len(controls)
    positive = np.r_[units.positive, np.zeros(n_controls, dtype=bool)]
    every = Units(units.task, units.kind, [*units.rows, *controls], positive, units.settings)
    is_twin = np.arange(n_twins + n_controls) < n_twins
    handled = {id(pair.perturbed) for pair in pairs if pair.control is not None}
    controlled = np.array([id(row) in handled for row in every.rows]) | ~is_twin
    documents = [scene(row) for row in every.rows]
    for view in CONTENT:
        counts = scenes[view].counts(documents)
        found = every.scores(text_learner, counts, is_twin)
        yield from every.areas(view, found, is_twin, limited=False)
    if controls:
        yield from every.areas("against controls", found, controlled, limited=False)
        own = every.scores(text_learner, counts, controlled)
        yield from every.areas("against controls, fitted", own, controlled, limited=False)


def probe_place(units: Units) -> Iterator[Finding]:
    """Which turn was edited, from its place and its speaker's role? Units are problems and their twins."""
    problems = [row for row, positive in zip(units.rows, units.positive, strict=True) if positive]
    turns = [(row, i) for row in problems for i in range(len(row.turns))]
    edited = np.array([row.locus == i for row, i in turns])
    asked = Units(units.task, units.kind, [row for row, _ in turns], edited, units.settings)
    seen = np.array([[str(i), str(len(row.turns) - i), row.roles[i]] for row, i in turns])
    yield from asked.areas("place of the edit", asked.scores(category_learner, seen), limited=False)
