"""The thirteen categories, one file each, and the making of all items of a simulated case.

A category's file holds its `TaskSpec`, the maker of its items or problems from a simulated case and, where its truth is
certain from a record alone, from a recorded one. Recorded cases are the business of `bsft.bench.recorded.make`.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem
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
from bsft.bench.tasks.alerting import Kind, alert_items, first_possible
from bsft.records.schema import Item, TaskSpec


class Answering(Protocol):
    """A module of a reactive or balanced task."""

    @property
    def SPEC(self) -> TaskSpec: ...  # noqa: N802  (a constant of the module)
    def simulated_item(self, case: SimulatedCase) -> Item: ...


ANSWERING: tuple[Answering, ...] = (
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


class Alerting(Protocol):
    """A module of a proactive task."""

    @property
    def SPEC(self) -> TaskSpec: ...  # noqa: N802  (a constant of the module)
    @property
    def KINDS(self) -> Sequence[Kind]: ...  # noqa: N802


ALERTING: tuple[Alerting, ...] = (
    omission_detection, error_correction, consistency_check, ambiguity_clarification, critical_data_alert,
)  # fmt: skip
"""Proactive tasks: a pair of twins per case each, where the case allows it."""

TASKS: tuple[TaskSpec, ...] = (*(module.SPEC for module in ANSWERING), *(module.SPEC for module in ALERTING))


def items_of(case: SimulatedCase, n_handled: int) -> Iterator[Item]:
    """All items of one case, in a fixed order.

    Args:
        n_handled: pairs that get a control, in which the problem is there and somebody has dealt with it.

    Raises:
        LeftOut: the bank's condition does not give what a task needs, which is an error of the bank.
    """
    for answering in ANSWERING:
        yield answering.simulated_item(case)
    pairs = pairs_of(case)
    handled = case.rng("handled").sample(range(len(pairs)), n_handled)
    for i, (module, kind, problem) in enumerate(pairs):
        yield from alert_items(module.SPEC, module.KINDS, case, kind, problem, handled=i in handled)


def pairs_of(case: SimulatedCase) -> list[tuple[Alerting, Kind, Problem]]:
    """One problem per proactive task, in their order; where a task allows none in this case, another task has two.

    Raises:
        LeftOut: the case does not allow as many problems as there are tasks.
    """
    found: list[tuple[Alerting, Kind, Problem]] = []
    used: set[str] = set()
    rng = case.rng("second pairs")
    for modules in ([module] for module in ALERTING), (rng.sample(ALERTING, len(ALERTING)) for _ in ALERTING):
        for own in modules:
            if len(found) < len(ALERTING):
                found += list(_first_pair(case, own, used))
    if len(found) < len(ALERTING):
        raise LeftOut(f"{case.condition.id}: only {len(found)} problems are possible")
    return sorted(found, key=lambda pair: ALERTING.index(pair[0]))


def _first_pair(
    case: SimulatedCase, modules: Sequence[Alerting], used: set[str]
) -> Iterator[tuple[Alerting, Kind, Problem]]:
    """The first problem that one of the modules allows, of a kind that the case has not had; or none."""
    for module in modules:
        rng = case.rng(f"{module.SPEC.name} {len(used)}")
        kinds = [kind for kind in module.KINDS if kind.name not in used]
        if kinds and (made := first_possible(kinds, case, rng)) is not None:
            used.add(made[0].name)
            yield module, *made
            return
