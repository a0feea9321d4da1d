"""Probes of options: can the right one be told without the case?

Where gold is a flag, the question is which of the flags is right; elsewhere, which of the other options is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bsft.audit.corpus import Corpus, CorpusItem, CorpusOption
from bsft.audit.folds import choose_design
from bsft.audit.learners import category_learner, size_learner
from bsft.audit.probes import probe_words
from bsft.audit.probing import ProbeResult, ProbingTask
from bsft.audit.texts import Numerals, Sizes
from bsft.stats.bootstrap import Bootstrap

WHICH = "is this the right option?"


@dataclass(frozen=True)
class Choices:
    """The options of a task among which the right one is looked for, and the probing task that they pose."""

    places: list[tuple[CorpusItem, int]]
    """An item and the index of one of its options."""
    probing: ProbingTask

    @property
    def options(self) -> list[CorpusOption]:
        return [row.options[i] for row, i in self.places]


def choices_of(corpus: Corpus, task: str, min_test_items: int, bootstrap: Bootstrap) -> Choices | None:
    """The task's choices; None where no item leaves one, or there are too few to fit anything."""
    candidates = [(row, _candidates(row)) for row in corpus.of_task(task)]
    candidates = [(row, own) for row, own in candidates if len(own) > 1]
    cases = [row.case_id for row, _ in candidates]
    design = choose_design([row.split for row, _ in candidates], cases, min_test_items)
    if design is None:
        return None
    owner = [i for i, (_, own) in enumerate(candidates) for _ in own]
    places = [(row, i) for row, own in candidates for i in own]
    probing = ProbingTask(
        task, WHICH, "items", owner, np.array([i == row.gold for row, i in places]), [cases[i] for i in owner],
        [None] * len(places), design.of_parts(owner), bootstrap,
    )  # fmt: skip
    return Choices(places, probing)


def probe_positions(choices: Choices, *, labels: bool) -> Iterator[ProbeResult]:
    """Probes that see an option's place, or only its label where labels differ in frequency."""
    seen = np.array([[str(i), str(len(row.options))] for row, i in choices.places])
    yield choices.probing.probe("option position", category_learner, seen)
    if labels:
        names = np.array([[option.label] for option in choices.options])
        yield choices.probing.probe("option label", category_learner, names, binding=False)


def probe_option_texts(choices: Choices, corpus: Corpus, numerals: Numerals) -> Iterator[ProbeResult]:
    """Probes that see an option's length beside that of the others, or its words."""
    sizes = Sizes(corpus.texts, numerals)
    lengths = np.array([_lengths(row, i, sizes) for row, i in choices.places])
    yield choices.probing.probe("option length", size_learner, lengths, numerals=numerals)
    documents = [(option.text,) for option in choices.options]
    yield from probe_words(choices.probing, "option words", documents, corpus, numerals, binding=False)


def _candidates(row: CorpusItem) -> list[int]:
    """Indices of the options to choose among: the flags where gold is a flag, the other options elsewhere."""
    return [i for i, option in enumerate(row.options) if option.flag == row.flagged]


def _lengths(row: CorpusItem, option: int, sizes: Sizes) -> list[float]:
    """Characters, the same less the mean of the alternatives, and how many alternatives are shorter."""
    own = [sizes.of((row.options[i].text,))[0] for i in _candidates(row)]
    length = sizes.of((row.options[option].text,))[0]
    return [length, length - sum(own) / len(own), float(sum(other < length for other in own))]
