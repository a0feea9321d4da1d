"""The thirteen categories, one file each, and the making of all items of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import Pair
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks import (
    ambiguity_clarification,
    case_handoff,
    consistency_check,
    critical_data_alert,
    ddx_reasoning,
    error_correction,
    image_reasoning,
    lab_interpretation,
    next_test_selection,
    omission_detection,
    patient_counseling,
    temporal_ordering,
    treatment_planning,
)
from bsft.bench.tasks.twins import proactive_items

ANSWERING = (
    ddx_reasoning,
    temporal_ordering,
    image_reasoning,
    lab_interpretation,
    treatment_planning,
    next_test_selection,
    case_handoff,
    patient_counseling,
)
"""Reactive and balanced tasks: one item a case each."""

ALERTING = (omission_detection, error_correction, consistency_check, ambiguity_clarification, critical_data_alert)
"""Proactive tasks: a pair of twins a case each."""

TASKS: tuple[TaskSpec, ...] = tuple(module.SPEC for module in (*ANSWERING, *ALERTING))

SECOND_PAIR_SHARE = 0.86
"""Share of cases with a second pair in one of the proactive tasks; it sets the mean of about 20.7 items a case."""

_FIELDS: Mapping[str, Callable[[CaseFile], dict[str, str]]] = {
    "omission_detection": omission_detection.claim_fields,
    "consistency_check": consistency_check.claim_fields,
}


def items_of(case: CaseFile) -> Iterator[Item]:
    """All items of one case, in a fixed order."""
    for answering in ANSWERING:
        yield from answering.items(case)
    rng = case.rng("proactive")
    controlled = rng.randrange(len(ALERTING))
    doubled = rng.randrange(len(ALERTING)) if rng.random() < SECOND_PAIR_SHARE else None
    for i, alerting in enumerate(ALERTING):
        kinds: list[str] = []
        for round_ in range(2 if i == doubled else 1):
            pair = _new_pair(alerting.pair, case, f"{alerting.SPEC.name} {round_}", kinds)
            kinds.append(pair.kind)
            yield from proactive_items(
                alerting.SPEC, case, pair, _fields(case, alerting.SPEC.name), round_=round_,
                distractor=i == controlled and round_ == 0,
            )  # fmt: skip


def _new_pair(make: Callable[..., Pair], case: CaseFile, purpose: str, kinds: list[str]) -> Pair:
    """A pair of a kind that this case does not have yet, if a few tries find one."""
    for attempt in range(6):
        pair: Pair = make(case, case.rng(f"{purpose} pair {attempt}"))
        if pair.kind not in kinds:
            break
    return pair


def _fields(case: CaseFile, task: str) -> dict[str, str]:
    return _FIELDS[task](case) if task in _FIELDS else {}
