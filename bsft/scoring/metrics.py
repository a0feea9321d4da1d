"""From responses to numbers: macro-F1, accuracy, MCC, restraint, with intervals by bootstrap over cases.

Also the responses of naive policies, which every table carries: what can be scored without reading the case.

Group and overall values are unweighted means over tasks. A task with a constant gold label reports accuracy in the
macro-F1 slot.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bsft.records.schema import BEHAVIORS, Item, TaskSpec
from bsft.records.store import Head
from bsft.scoring.result import Restraint, Scores, Summary, TaskScore
from bsft.stats.bootstrap import CaseResamples, interval95
from bsft.stats.measures import Booleans, Floats, Integers, label_indices, macro_f1, matthews, mean_of_known
from bsft.stats.policies import Policy, Question, TrainingCounts

LabelCounts = Mapping[str, Counter[str]]
"""task -> gold label -> count, of the training split."""


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
        mcc=known(matthews(*indices(task.responses, task.spec.labels)[:2])) if task.spec.metric == "macro_f1" else None,
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
    return macro_f1(*indices(responses, spec.labels))


def _task_samples(responses: Sequence[Response], spec: TaskSpec, resamples: CaseResamples) -> Floats:
    """`(S,)` of the task's metric."""
    cases = _cases(responses)
    if spec.metric == "accuracy":
        return resamples.mean(np.array([r.correct for r in responses]), cases)
    return resamples.macro_f1(*indices(responses, spec.labels), cases)


def indices(responses: Sequence[Response], labels: Iterable[str]) -> tuple[Integers, Integers, int]:
    """Gold and predicted labels as `(U,)` places among those of `labels` that occur in gold, and how many these are."""
    present = {r.item.label for r in responses}
    own = [label for label in labels if label in present]
    gold, predicted = [r.item.label for r in responses], [r.predicted for r in responses]
    return label_indices(gold, own), label_indices(predicted, own), len(own)


def _cases(responses: Sequence[Response]) -> list[str]:
    return [r.item.case_id for r in responses]


def flag_mcc(responses: Sequence[Response]) -> float | None:
    """Matthews correlation of raising a concern with having to, over items: None where gold is constant, 0 where the
    same is always done."""
    due = np.array([r.item.gold_behavior == "proactive" for r in responses])
    return known(matthews(due, np.array([r.flagged for r in responses])))


def restraint(responses: Sequence[Response], resamples: CaseResamples | None = None) -> Restraint:
    """Over-intervention (a flag where gold is not proactive) and pair accuracy (both twins right)."""
    quiet = [r for r in responses if r.item.gold_behavior != "proactive"]
    flagged = np.array([r.flagged for r in quiet])
    pairs = pairs_of(responses)
    return Restraint(
        over_intervention_rate=_mean(flagged) if quiet else None,
        over_intervention_ci95=interval95(resamples.mean(flagged, _cases(quiet))) if quiet and resamples else None,
        pair_accuracy=_mean([a.correct and b.correct for a, b in pairs]) if pairs else None,
    )


def pairs_of(responses: Sequence[Response]) -> list[tuple[Response, Response]]:
    """Problems with their own twins."""
    by_id = {r.item.id: r for r in responses}
    problems = [r for r in responses if r.item.variant == "perturbed" and r.item.twin_id in by_id]
    return [(problem, by_id[problem.item.twin_id or ""]) for problem in problems]


def known(value: float) -> float | None:
    """A measure as it is written: None where it is not defined."""
    return None if np.isnan(value) else value


def _mean(values: Sequence[float] | Booleans) -> float:
    return float(np.mean(values))


def label_counts(train_items: Iterable[Head | Item]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for item in train_items:
        counts.setdefault(item.task, Counter())[item.label] += 1
    return counts


def responses_of(policy: Policy, items: Iterable[Item], counts: LabelCounts) -> list[Response]:
    """What a policy chooses for each item."""
    responses = []
    for item in items:
        question = Question(item.id, item.options, [len(option.text) for option in item.options])
        responses.append(Response(item, policy(question, TrainingCounts(counts.get(item.task, Counter())))))
    return responses
