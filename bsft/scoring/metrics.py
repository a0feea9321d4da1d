"""From responses to numbers: macro-F1, accuracy, MCC, restraint, with intervals by bootstrap over cases.

Group and overall values are unweighted means over tasks. A task with a constant gold label reports accuracy in the
macro-F1 slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bsft.records.schema import BEHAVIORS, Item, TaskSpec
from bsft.scoring.result import Restraint, Scores, Summary, TaskScore
from bsft.stats.arrays import Booleans, Floats, Integers, label_indices, mean_of_known
from bsft.stats.bootstrap import CaseResamples, interval95
from bsft.stats.measures import macro_f1, matthews


@dataclass(frozen=True)
class Response:
    """What a model or a policy said to an item: the index of the chosen option, None for an unparsed answer."""

    item: Item
    chosen: int | None

    @property
    def predicted(self) -> str | None:
        return None if self.chosen is None else self.item.options[self.chosen].label

    @property
    def flagged(self) -> bool:
        return self.chosen is not None and self.item.options[self.chosen].flag

    @property
    def correct(self) -> bool:
        return self.predicted == self.item.label


@dataclass(frozen=True)
class _Task:
    """A task's responses, their score, and its `(S,)` samples."""

    spec: TaskSpec
    responses: Sequence[Response]
    score: float
    accuracy: float
    samples: Floats


def evaluate(
    responses: Sequence[Response], tasks: Mapping[str, TaskSpec], *, bootstrap_samples: int, seed: int = 0
) -> Scores:
    """Scores by task, by group and overall, and restraint.

    Raises:
        ValueError: no responses; an empty evaluation is an error, not a score of zero.
    """
    if not responses:
        raise ValueError("nothing to evaluate: no item was scored")
    resamples = CaseResamples(_cases(responses), bootstrap_samples, seed)
    scored = {
        name: _Task(
            spec=tasks[name],
            responses=own,
            score=task_score(own, tasks[name]),
            accuracy=_mean([r.correct for r in own]),
            samples=_task_samples(own, tasks[name], resamples),
        )
        for name, own in _by_task(responses, tasks).items()
    }
    groups = {group: [task for task in scored.values() if task.spec.group == group] for group in BEHAVIORS}
    return Scores(
        overall=_summary(list(scored.values())),
        group={group: _summary(own) if own else None for group, own in groups.items()},
        task={name: _row(task) for name, task in scored.items()},
        restraint=restraint(responses, resamples),
    )


def _by_task(responses: Sequence[Response], tasks: Mapping[str, TaskSpec]) -> dict[str, list[Response]]:
    found: dict[str, list[Response]] = {name: [] for name in tasks}
    for response in responses:
        found[response.item.task].append(response)
    return {name: own for name, own in found.items() if own}


def _row(task: _Task) -> TaskScore:
    return TaskScore(
        score=task.score,
        metric=task.spec.metric,
        n=len(task.responses),
        ci95=interval95(task.samples),
        accuracy=task.accuracy,
        mcc=_task_mcc(task.responses, task.spec),
        group=task.spec.group,
        support=dict(sorted(Counter(r.item.label for r in task.responses).items())),
    )


def _summary(tasks: Sequence[_Task]) -> Summary:
    return Summary(
        macro_f1=_mean([task.score for task in tasks]),
        macro_f1_ci95=interval95(mean_of_known(np.array([task.samples for task in tasks]), axis=0)),
        accuracy=_mean([task.accuracy for task in tasks]),
        mcc=flag_mcc([r for task in tasks for r in task.responses]),
    )


def task_score(responses: Sequence[Response], spec: TaskSpec) -> float:
    """Macro-F1 over the task's labels that occur in gold, or accuracy; an unparsed answer is wrong, without a class."""
    if spec.metric == "accuracy":
        return _mean([r.correct for r in responses])
    labels = _labels(responses, spec)
    return macro_f1(_gold(responses, labels), _predicted(responses, labels), len(labels))


def _task_samples(responses: Sequence[Response], spec: TaskSpec, resamples: CaseResamples) -> Floats:
    """`(S,)` of the task's metric."""
    cases = _cases(responses)
    if spec.metric == "accuracy":
        return resamples.mean(np.array([r.correct for r in responses]), cases)
    labels = _labels(responses, spec)
    return resamples.macro_f1(_gold(responses, labels), _predicted(responses, labels), len(labels), cases)


def _labels(responses: Sequence[Response], spec: TaskSpec) -> list[str]:
    present = {r.item.label for r in responses}
    return [label for label in spec.labels if label in present]


def _gold(responses: Sequence[Response], labels: Sequence[str]) -> Integers:
    return label_indices([r.item.label for r in responses], labels)


def _predicted(responses: Sequence[Response], labels: Sequence[str]) -> Integers:
    return label_indices([r.predicted for r in responses], labels)


def _cases(responses: Sequence[Response]) -> list[str]:
    return [r.item.case_id for r in responses]


def _task_mcc(responses: Sequence[Response], spec: TaskSpec) -> float | None:
    """Multiclass Matthews correlation; undefined where gold is constant."""
    if spec.metric != "macro_f1":
        return None
    labels = _labels(responses, spec)
    return known(matthews(_gold(responses, labels), _predicted(responses, labels)))


def flag_mcc(responses: Sequence[Response]) -> float | None:
    """Matthews correlation of raising a concern with having to, over items: None where gold is constant, 0 where the
    same is always done."""
    due = np.array([r.item.gold_behavior == "proactive" for r in responses])
    return known(matthews(due, np.array([r.flagged for r in responses])))


def restraint(responses: Sequence[Response], resamples: CaseResamples | None = None) -> Restraint:
    """Over-intervention (a flag where gold is not proactive) and pair accuracy (both twins right)."""
    quiet = [r for r in responses if r.item.gold_behavior != "proactive"]
    flagged = np.array([r.flagged for r in quiet])
    by_id = {r.item.id: r for r in responses}
    pairs = [
        (r, by_id[r.item.twin_id])
        for r in responses
        if r.item.variant == "perturbed" and r.item.twin_id is not None and r.item.twin_id in by_id
    ]
    return Restraint(
        over_intervention_rate=_mean(flagged) if quiet else None,
        over_intervention_ci95=interval95(resamples.mean(flagged, _cases(quiet))) if quiet and resamples else None,
        pair_accuracy=_mean([a.correct and b.correct for a, b in pairs]) if pairs else None,
    )


def known(value: float) -> float | None:
    """A measure as it is written: None where it is not defined."""
    return None if np.isnan(value) else value


def _mean(values: Sequence[float] | Booleans) -> float:
    return float(np.mean(values))
