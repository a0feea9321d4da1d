"""What the proactive tasks share: which kind of problem a simulated case gets, and the items made of it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from bsft.bench.bank.load import load_bank
from bsft.bench.figures import TRENDS, describe, ecg_tracing
from bsft.bench.items import make_alert, twin_items
from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Slot, capitalise
from bsft.bench.simulated.case import SimulatedCase, simulate_case
from bsft.bench.simulated.claims import Claim
from bsft.bench.simulated.conversation import CLINICIANS
from bsft.bench.splits import is_heldout
from bsft.records.schema import ImageSpec, Item, TaskSpec, Track

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

RecordedProblems = Mapping[str, "Callable[[RecordedCase], Problem]"]
"""Label -> what makes its problem in a recorded case, or raises LeftOut: the record lacks what it takes."""

FIGURE_SHARE, TREND_SHARE = 0.35, 0.4
"""Share of pairs that show a figure, where one is possible; and how often a trend of the bank is the one shown."""
ADULT_AGE_YEARS = 18
N_CASES_ELSEWHERE = 600
"""Cases whose concerns are the distractors of cases that allow none of the kind."""
ANYBODY = "anybody"
"""Stands for a person of any sex and age."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        name: `family/type`.
        label: of the reply that raises it.
        track: whether it is seen by equality and lookup, or only by judging a number.
        make: makes the problem in a case, or raises LeftOut.
        weight: how readily it is tried first; higher for kinds that few cases allow.
        is_listed: whether what it names stands in a list of which each illness allows a part.
    """

    name: str
    label: str
    track: Track
    make: Callable[[SimulatedCase, random.Random], Problem]
    weight: float = 1.0
    is_listed: bool = False


def proactive_spec(name: str, kinds: Sequence[Kind], source: Literal["paper", "bsft"]) -> TaskSpec:
    labels = [NO_FLAG, *(kind.label for kind in kinds)]
    return TaskSpec(name=name, group="proactive", metric="macro_f1", labels=labels, source=source)


def first_possible(kinds: Sequence[Kind], case: SimulatedCase, rng: random.Random) -> tuple[Kind, Problem] | None:
    """The first kind that the case allows, in an order that respects their weights, and its problem."""
    left = list(kinds)
    while left:
        kind = rng.choices(left, [kind.weight for kind in left])[0]
        left.remove(kind)
        with suppress(LeftOut):
            return kind, kind.make(case, rng)
    return None


def alert_items(
    spec: TaskSpec, kinds: Sequence[Kind], case: SimulatedCase, kind: Kind, problem: Problem, *, handled: bool,
    original: SimulatedCase | None = None,
) -> Iterator[Item]:  # fmt: skip
    """Both twins and, if asked for, the control: the problem is there and somebody has dealt with it.

    Args:
        original: the case that this one restates, if any; its distractors are taken.
    """
    rng = case.rng(f"replies {kind.name}")
    others = [other for other in kinds if other is not kind]
    claims = {kind.label: problem.claim, **{o.label: _unplanted(o, kinds, case, original or case) for o in others}}
    images, problem = _with_figure(case, problem, rng)
    alert = make_alert(spec, case, problem.clean, claims, rng, track=kind.track, images=images)
    stem = f"{case.case.id}/{spec.name}/{kind.name.partition('/')[2]}"
    yield from twin_items(alert, problem, stem)
    if handled:
        scene = _with_remark(case, problem, rng)
        yield alert.item(f"{stem}/handled", "distractor", scene.turns, NO_FLAG)


def _unplanted(kind: Kind, kinds: Sequence[Kind], case: SimulatedCase, original: SimulatedCase) -> Claim:
    """What the concern would name had the case got this kind of problem, or what it names in another person's case.

    So a concern that is not due names what one that is due names, and nothing but the scene tells them apart. What
    stands in a list is always another case's: an illness that allows no other kind would make its own steps always due.
    """
    rng = case.rng(f"distractor {kind.name}")
    if not kind.is_listed:
        with suppress(LeftOut):
            return kind.make(case, rng).claim
    due = _due_elsewhere(tuple(kinds))
    return rng.choice(due.get((kind.label, _sort_of_person(original))) or due[kind.label, ANYBODY])


@cache
def _due_elsewhere(kinds: Sequence[Kind]) -> Mapping[tuple[str, str], Sequence[Claim]]:
    """Label and sort of person -> what the concerns name that are due in some simulated cases."""
    claims: defaultdict[tuple[str, str], list[Claim]] = defaultdict(list)
    for case in _cases_elsewhere():
        if (found := first_possible(kinds, case, case.rng("kind"))) is not None:
            kind, problem = found
            for person in (_sort_of_person(case), ANYBODY):
                claims[kind.label, person].append(problem.claim)
    return claims


@cache
def _cases_elsewhere() -> Sequence[SimulatedCase]:
    """Of all conditions but those held out, the same for every benchmark."""
    conditions = [condition for condition in load_bank().conditions.values() if not is_heldout(condition)]
    return [
        simulate_case(conditions[i % len(conditions)], case_id=f"elsewhere-{i}", split="train", seed=0, level=1)
        for i in range(N_CASES_ELSEWHERE)
    ]


def _sort_of_person(case: SimulatedCase) -> str:
    return f"{case.person.sex} {'adult' if case.person.age_years >= ADULT_AGE_YEARS else 'child'}"


def _with_remark(case: SimulatedCase, problem: Problem, rng: random.Random) -> Scene:
    """Lets somebody say that the matter is known and being dealt with, once all of it is visible."""
    scene = problem.perturbed
    places = [p for p in range(problem.visible_from + 1, len(scene.slots) + 1) if scene.may_be_cut_at(p)]
    text = case.handled(problem.label, problem.claim, rng)
    return scene.insert(rng.choice(places), Slot("remark", *rng.choice(CLINICIANS), text, {}))


def _with_figure(case: SimulatedCase, problem: Problem, rng: random.Random) -> tuple[list[ImageSpec], Problem]:
    """The pair with a figure put up, described by what is seen on it."""
    found = _figure(case, problem, rng)
    if found is None or rng.random() >= FIGURE_SHARE:
        return [], problem
    kind, params = found
    text = describe(kind, params, case.bank.analytes)
    slot = Slot("figure", "Figure", "record", f"{capitalise(text)}.", {})
    clean = case.place(problem.clean, rng, slot)
    spec = ImageSpec.model_construct(kind=kind, params=params, alt=text)
    return [spec], replace(problem, clean=clean)


def _figure(case: SimulatedCase, problem: Problem, rng: random.Random) -> tuple[str, dict[str, Any]] | None:
    """Kind and parameters: the condition's own figure, or a tracing that nobody would have to speak of.

    A tracing has the patient's own rate; none stands beside another rate that a problem puts into the observations.
    """
    figure = case.condition.figure
    if figure is not None and figure.kind in TRENDS and rng.random() >= TREND_SHARE:
        figure = None
    if figure is not None and figure.kind != "ecg":
        return figure.kind, figure.params
    if problem.slot == "observations" or (figure is None and case.person.age_years < ADULT_AGE_YEARS):
        return None
    rate = case.vital("heart_rate_bpm")
    if figure is None:
        return "ecg", ecg_tracing(rate, rng, quiet=True).spec.params
    return "ecg", {**figure.params, "rate_bpm": rate}
