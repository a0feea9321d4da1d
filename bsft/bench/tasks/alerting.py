"""What the proactive tasks share: which kind of problem a simulated case gets, and the items made of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bsft.bench.items import make_alert, twin_items
from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Slot, Speaker
from bsft.bench.simulated.concerns import base_claims
from bsft.records.schema import Item, TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.simulated.case import SimulatedCase

RecordedProblems = Mapping[str, "Callable[[RecordedCase], Problem]"]
"""Label -> what makes its problem in a recorded case, or raises LeftOut: the record lacks what it takes."""

CLINICIANS: tuple[Speaker, ...] = (
    ("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip

HELDOUT_KINDS = frozenset({"error/age", "error/unit", "consistency/clock"})
"""Kinds that only the split `test_heldout` contains; each shares its label with a kind that is trained."""
HELDOUT_BOOST = 5
"""How much more often `test_heldout` has a kind that no other split has."""

OTHER_RESOLUTION_SHARE = 0.5
"""Share of pairs in which somebody has dealt with another matter, in both twins, so that such a remark says nothing."""

_FIELD = re.compile(r"\{(\w+)\}")


def shuffled_kinds(case: SimulatedCase, kinds: Mapping[str, float], rng: random.Random) -> list[str]:
    """The kinds in a random order that respects their weights, without those held out from this split."""
    if case.edition == "heldout":
        usable = {kind: weight * (HELDOUT_BOOST if kind in HELDOUT_KINDS else 1) for kind, weight in kinds.items()}
    else:
        usable = {kind: weight for kind, weight in kinds.items() if kind not in HELDOUT_KINDS}
    order = []
    while usable:
        kind = rng.choices(list(usable), list(usable.values()))[0]
        order.append(kind)
        del usable[kind]
    return order


def first_possible(kinds: Iterable[str], make: Callable[[str], Problem]) -> Problem:
    """The problem of the first kind that the case allows.

    Raises:
        LeftOut: the case allows none.
    """
    reasons = []
    for kind in kinds:
        try:
            return make(kind)
        except LeftOut as reason:
            reasons.append(f"{kind}: {reason}")
    raise LeftOut("; ".join(reasons))


def is_possible(case: SimulatedCase, label: str) -> bool:
    """Whether a concern makes sense in this case at all; the same for both twins."""
    return label != "flag_laterality" or case.person.age_years >= case.words.threads.injuries.min_age_years


def alert_items(
    spec: TaskSpec, case: SimulatedCase, problem: Problem, *, round_: int, controlled: bool
) -> Iterator[Item]:
    """Both twins and, if asked for, the control: the problem is there and somebody has dealt with it."""
    rng = case.rng(f"{spec.name} options {round_}")
    claims = {**base_claims(case), **problem.other_claims, **problem.claims}
    labels = [label for label in spec.labels if label != NO_FLAG and is_possible(case, label)]
    alert = make_alert(spec, case, labels, claims, rng)
    is_ambiguity = problem.family == "ambiguity"
    others = _other_matters(case, problem, labels)
    if not is_ambiguity and others and rng.random() < OTHER_RESOLUTION_SHARE:
        problem = replace(problem, clean=with_resolution(case, problem.clean, problem, rng.choice(others), claims, rng))
    stem = f"{case.case.id}/{spec.name}/{round_}"
    yield from twin_items(alert, problem, stem)
    if controlled:
        handled = (
            with_clarification(case, problem.perturbed, problem.slot, problem.label, rng)
            if is_ambiguity
            else with_resolution(case, problem.perturbed, problem, problem.label, claims, rng)
        )
        yield alert.item(f"{stem}/distractor", "distractor", handled.turns, NO_FLAG)


def _other_matters(case: SimulatedCase, problem: Problem, labels: Iterable[str]) -> list[str]:
    """Labels whose remark cannot be about this problem."""
    resolutions = case.replies.resolutions
    return [
        label
        for label in labels
        if label != problem.label
        and not problem.claims.keys() & {name.lower() for text in resolutions[label] for name in _FIELD.findall(text)}
    ]


def with_resolution(
    case: SimulatedCase, scene: Scene, problem: Problem, label: str, claims: Mapping[str, str], rng: random.Random
) -> Scene:
    """Lets somebody say that the matter of `label` is known and being dealt with, once the problem's own is visible."""
    seen = max(scene.index(name) for name in (problem.slot, problem.partner) if name)
    speaker, role = rng.choice(CLINICIANS)
    line = case.resolution(label, claims, rng)
    return scene.insert(rng.randint(seen + 1, len(scene.slots)), Slot(f"remark {label}", speaker, role, line, {}))


def with_clarification(case: SimulatedCase, scene: Scene, slot_id: str, label: str, rng: random.Random) -> Scene:
    """Lets the speaker of an instruction say in the next breath which thing is meant."""
    asking = scene[slot_id]
    line = Slot(f"remark {label}", asking.speaker, asking.role, case.resolution(label, {}, rng), {})
    return scene.insert(scene.index(slot_id) + 1, line)
