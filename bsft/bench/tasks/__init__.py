"""The thirteen categories, one file each, and the making of all items of a simulated case.

A category's file holds its `TaskSpec`, the maker of its items or problems from a simulated case and, where its truth is
certain from a record alone, from a recorded one. Recorded cases are the business of `bsft.bench.recorded.make`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.simulated.case import SimulatedCase
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
from bsft.bench.tasks.alerting import alert_items
from bsft.records.schema import Item, TaskSpec

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
"""Reactive and balanced tasks: one item per case each."""

ALERTING = (omission_detection, error_correction, consistency_check, ambiguity_clarification, critical_data_alert)
"""Proactive tasks: a pair of twins per case each."""

TASKS: tuple[TaskSpec, ...] = tuple(module.SPEC for module in (*ANSWERING, *ALERTING))

SECOND_PAIR_SHARE = 0.86
"""Share of cases with a second pair in one of the proactive tasks; it sets the mean of about 20.7 items per case."""
TRIES = 6
"""How often another kind is tried for a second pair."""


def items_of(case: SimulatedCase) -> Iterator[Item]:
    """All items of one case, in a fixed order.

    Raises:
        LeftOut: the bank's condition does not give what a task needs, which is an error of the bank.
    """
    for answering in ANSWERING:
        yield answering.simulated_item(case)
    rng = case.rng("proactive")
    controlled = rng.randrange(len(ALERTING))
    doubled = rng.randrange(len(ALERTING)) if rng.random() < SECOND_PAIR_SHARE else None
    for i, alerting in enumerate(ALERTING):
        kinds: list[str] = []
        for round_ in range(2 if i == doubled else 1):
            for attempt in range(TRIES):
                problem = alerting.simulated_problem(case, case.rng(f"{alerting.SPEC.name} {round_} pair {attempt}"))
                if problem.kind not in kinds:
                    break
            kinds.append(problem.kind)
            yield from alert_items(
                alerting.SPEC, case, problem, round_=round_, controlled=i == controlled and not round_
            )
