"""Makes all items of some cases, with the reasons why cases were left out of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bsft.bench.caseitems import (
    case_handoff,
    consistency_check,
    critical_data_alert,
    ddx_reasoning,
    error_correction,
    lab_interpretation,
    omission_detection,
    temporal_ordering,
)
from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.peers import Peers
from bsft.bench.caseitems.twins import Make, Reasons, twin_items
from bsft.bench.records import Case, Item, TaskSpec

ANSWERING: tuple[tuple[TaskSpec, Callable[[Chart, Peers], Item]], ...] = tuple(
    (module.SPEC, module.item) for module in (ddx_reasoning, temporal_ordering, lab_interpretation, case_handoff)
)
"""Reactive and balanced tasks: at most one item a case."""

ALERTING: tuple[tuple[TaskSpec, Mapping[str, Make]], ...] = tuple(
    (module.SPEC, module.MAKERS)
    for module in (omission_detection, error_correction, consistency_check, critical_data_alert)
)
"""Proactive tasks: at most one pair of twins a case and label."""


def make_items(by_split: Mapping[str, Sequence[Case]], seed: int) -> tuple[dict[str, list[Item]], Reasons]:
    """Items by split, in the order of the cases, and why cases were left out."""
    reasons = Reasons()
    items = {split: list(_of_split(split, cases, seed, reasons)) for split, cases in by_split.items()}
    return {split: found for split, found in items.items() if found}, reasons


def _of_split(split: str, cases: Sequence[Case], seed: int, reasons: Reasons) -> Iterator[Item]:
    charts = [Chart(case, split, seed) for case in cases]
    peers = Peers(charts)
    for chart in charts:
        for spec, make in ANSWERING:
            try:
                yield make(chart, peers)
            except LeftOut as reason:
                reasons.add(spec.name, reason)
        for spec, makers in ALERTING:
            yield from twin_items(spec, chart, makers, reasons)


def specs_of(items: Mapping[str, Sequence[Item]]) -> list[TaskSpec]:
    """The tasks that have items."""
    present = {item.task for found in items.values() for item in found}
    return [spec for spec, _ in (*ANSWERING, *ALERTING) if spec.name in present]
