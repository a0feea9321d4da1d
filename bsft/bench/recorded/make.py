"""Makes all items of some recorded cases, with the reasons why cases were left out of tasks."""

from collections.abc import Iterator, Mapping, Sequence

from bsft.bench.items import make_alert, twin_items
from bsft.bench.left_out import LeftOut, Reasons
from bsft.bench.problem import Problem
from bsft.bench.recorded.case import RecordedCase
from bsft.bench.recorded.other_cases import OtherCases
from bsft.bench.replies import NO_FLAG
from bsft.bench.tasks import (
    case_handoff,
    consistency_check,
    critical_data_alert,
    ddx_reasoning,
    error_correction,
    lab_interpretation,
    omission_detection,
    temporal_ordering,
)
from bsft.bench.tasks.alerting import RecordedProblems
from bsft.records.schema import Case, Item, TaskSpec, Track

LEVEL = 3
"""A record is read out whole."""
TRACK: Track = "numeric_inference"
"""Most of what can be certain of a record is about numbers."""

ANSWERING = (ddx_reasoning, temporal_ordering, lab_interpretation, case_handoff)
"""Reactive and balanced tasks: at most one item per case."""

ALERTING: tuple[tuple[TaskSpec, RecordedProblems], ...] = tuple(
    (module.SPEC.model_copy(update={"labels": [NO_FLAG, *module.RECORDED_PROBLEMS]}), module.RECORDED_PROBLEMS)
    for module in (omission_detection, error_correction, consistency_check, critical_data_alert)
)
"""Proactive tasks, with the labels that a record allows: at most one pair of twins per case and label."""


def make_items(by_split: Mapping[str, Sequence[Case]], seed: int) -> tuple[dict[str, list[Item]], Reasons]:
    """Items by split, in the order of the cases, and why cases were left out."""
    reasons = Reasons()
    items = {split: list(_of_split(split, cases, seed, reasons)) for split, cases in by_split.items()}
    return {split: found for split, found in items.items() if found}, reasons


def _of_split(split: str, cases: Sequence[Case], seed: int, reasons: Reasons) -> Iterator[Item]:
    opened = [RecordedCase(case, split, seed, LEVEL) for case in cases]
    others = OtherCases(opened)
    for case in opened:
        for module in ANSWERING:
            try:
                yield module.recorded_item(case, others)
            except LeftOut as reason:
                reasons.add(module.SPEC.name, reason)
        for spec, problems in ALERTING:
            yield from _alerts(spec, case, problems, reasons)


def _alerts(spec: TaskSpec, case: RecordedCase, makers: RecordedProblems, reasons: Reasons) -> Iterator[Item]:
    """Both twins for every label that the record allows; the same concerns are offered in all of them."""
    try:
        case.check_silence_is_right()
    except LeftOut as reason:
        reasons.add(spec.name, reason)
        return
    problems: list[Problem] = []
    for label, make in makers.items():
        try:
            problems.append(make(case))
        except LeftOut as reason:
            reasons.add(f"{spec.name}: {label}", reason)
    concerns = {problem.label: problem.claim for problem in problems}
    for problem in problems:
        alert = make_alert(spec, case, problem.clean, concerns, case.rng(f"{spec.name} {problem.label}"), track=TRACK)
        yield from twin_items(alert, problem, f"{case.case.id}/{spec.name}/{problem.label}")


def specs_of(items: Mapping[str, Sequence[Item]]) -> list[TaskSpec]:
    """The tasks that have items."""
    present = {item.task for found in items.values() for item in found}
    specs = [*(module.SPEC for module in ANSWERING), *(spec for spec, _ in ALERTING)]
    return [spec for spec in specs if spec.name in present]
