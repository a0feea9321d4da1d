"""From predictions to numbers: macro-F1, accuracy, MCC, restraint, with intervals by bootstrap over cases.

Confusion counts and correlations come from torchmetrics; the bootstrap resamples per-case confusion counts, so that a
thousand samples of thirteen tasks cost one matrix product each. Group and overall values are unweighted means over
tasks. A task with a constant gold label reports accuracy in the macro-F1 slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional import accuracy, auroc, confusion_matrix, matthews_corrcoef

from bsft.bench.records import BEHAVIORS, Item, TaskSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What a policy said to an item: the index of the chosen option, None for an unparsed answer."""

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


def evaluate(
    outcomes: Sequence[Outcome], tasks: Mapping[str, TaskSpec], *, bootstrap_samples: int, seed: int = 0
) -> dict[str, Any]:
    """`overall`, `group`, `task` and `restraint` of metrics.json.

    Raises:
        ValueError: no outcomes; an empty evaluation is an error, not a score of zero.
    """
    if not outcomes:
        raise ValueError("nothing to evaluate: no item was scored")
    by_task = _by_task(outcomes, tasks)
    resampler = _Resampler([o.item.case_id for o in outcomes], bootstrap_samples, seed)
    table: dict[str, dict[str, Any]] = {}
    samples: dict[str, Floats] = {}
    for name, own in by_task.items():
        spec = tasks[name]
        samples[name] = resampler.score(own, spec)
        table[name] = {
            "score": task_score(own, spec),
            "metric": spec.metric,
            "n": len(own),
            "ci95": _interval(samples[name]),
            "accuracy": _mean([o.correct for o in own]),
            "mcc": _task_mcc(own, spec),
            "group": spec.group,
            "support": dict(sorted(Counter(o.item.label for o in own).items())),
        }
    groups = {}
    for group in BEHAVIORS:
        names = [name for name in table if tasks[name].group == group]
        groups[group] = _summary(names, table, samples, [o for n in names for o in by_task[n]]) if names else None
    return {
        "overall": _summary(list(table), table, samples, outcomes),
        "group": groups,
        "task": table,
        "restraint": restraint(outcomes, resampler),
    }


def _by_task(outcomes: Sequence[Outcome], tasks: Mapping[str, TaskSpec]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {name: [] for name in tasks}
    for outcome in outcomes:
        found[outcome.item.task].append(outcome)
    return {name: own for name, own in found.items() if own}


def _summary(
    names: Sequence[str], table: Mapping[str, Any], samples: Mapping[str, Floats], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    return {
        "macro_f1": _mean([table[name]["score"] for name in names]),
        "macro_f1_ci95": _interval(_mean_of_known(np.array([samples[name] for name in names]), axis=0)),
        "accuracy": _mean([table[name]["accuracy"] for name in names]),
        "mcc": flag_mcc(outcomes),
    }


def task_score(outcomes: Sequence[Outcome], spec: TaskSpec) -> float:
    """Macro-F1 over the task's labels that occur in gold, or accuracy; an unparsed answer is wrong, without a class."""
    if spec.metric == "accuracy":
        return _mean([o.correct for o in outcomes])
    labels = _labels(outcomes, spec)
    confusion = confusion_matrix(
        _indices([o.predicted for o in outcomes], labels),
        _indices([o.item.label for o in outcomes], labels),
        task="multiclass",
        num_classes=len(labels) + 1,
    )
    return float(_macro_f1(confusion[None, : len(labels)].double().numpy())[0])


def _macro_f1(confusion: Floats) -> Floats:
    """`(S, n, n + 1)` counts of gold label x answer (the last: none of them) -> `(S,)`, over labels that occur."""
    hits = np.diagonal(confusion[:, :, :-1], axis1=1, axis2=2)
    support, predicted = confusion.sum(2), confusion[:, :, :-1].sum(1)
    f1 = _divide(2 * hits, support + predicted)
    f1[support == 0] = np.nan
    return _mean_of_known(f1, axis=1)


def _labels(outcomes: Sequence[Outcome], spec: TaskSpec) -> list[str]:
    present = {o.item.label for o in outcomes}
    return [label for label in spec.labels if label in present]


def _indices(values: Sequence[str | None], labels: Sequence[str]) -> torch.Tensor:
    """Label indices; whatever is not among the labels shares one extra index that no gold label has."""
    index = {label: i for i, label in enumerate(labels)}
    return torch.tensor([index.get(value, len(labels)) if value is not None else len(labels) for value in values])


def _task_mcc(outcomes: Sequence[Outcome], spec: TaskSpec) -> float | None:
    """Multiclass Matthews correlation; undefined where gold is constant."""
    labels = _labels(outcomes, spec) if spec.metric == "macro_f1" else []
    if len(labels) < 2:
        return None
    predicted = _indices([o.predicted for o in outcomes], labels)
    gold = _indices([o.item.label for o in outcomes], labels)
    return float(matthews_corrcoef(predicted, gold, task="multiclass", num_classes=len(labels) + 1))


def flag_mcc(outcomes: Sequence[Outcome]) -> float | None:
    """Matthews correlation of raising a concern with having to, over items; None where gold is constant."""
    gold = torch.tensor([o.item.gold_behavior == "proactive" for o in outcomes]).int()
    if len(set(gold.tolist())) < 2:
        return None
    return float(matthews_corrcoef(torch.tensor([o.flagged for o in outcomes]).int(), gold, task="binary"))


def restraint(outcomes: Sequence[Outcome], resampler: _Resampler | None = None) -> dict[str, Any]:
    """Over-intervention (a flag where gold is not proactive) and pair accuracy (both twins right)."""
    quiet = [o for o in outcomes if o.item.gold_behavior != "proactive"]
    by_id = {o.item.id: o for o in outcomes}
    pairs = [
        (o, by_id[o.item.twin_id])
        for o in outcomes
        if o.item.variant == "perturbed" and o.item.twin_id is not None and o.item.twin_id in by_id
    ]
    return {
        "over_intervention_rate": _mean([o.flagged for o in quiet]) if quiet else None,
        "over_intervention_ci95": _interval(resampler.rate(quiet, lambda o: o.flagged))
        if quiet and resampler
        else None,
        "pair_accuracy": _mean([a.correct and b.correct for a, b in pairs]) if pairs else None,
    }


def auroc_of(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Area under the ROC curve; None where only one class is present."""
    target = torch.tensor(positive).int()
    if len(set(positive)) < 2:
        return None
    # ranks keep the order of scores that a sigmoid inside the metric would saturate
    order = torch.tensor(scores, dtype=torch.float64)
    distinct = torch.unique(order)
    ranks = torch.searchsorted(distinct, order).double() / len(distinct)
    return cast(Tensor, auroc(ranks, target, task="binary")).item()


def accuracy_of(predicted: Sequence[int], gold: Sequence[int], n_classes: int) -> float:
    return float(
        accuracy(torch.tensor(predicted), torch.tensor(gold), task="multiclass", num_classes=n_classes, average="micro")
    )


class _Resampler:
    """Bootstrap over cases: the same resampled cases for every task."""

    def __init__(self, case_ids: Sequence[str], n_samples: int, seed: int) -> None:
        self._index = {case: i for i, case in enumerate(sorted(set(case_ids)))}
        n = len(self._index)
        rng = np.random.default_rng(seed)
        self._weights = rng.multinomial(n, np.full(n, 1 / n), size=n_samples).astype(np.float64)

    def rate(self, outcomes: Sequence[Outcome], event: Callable[[Outcome], bool]) -> Floats:
        """`(n_samples,)` share of outcomes for which `event` holds."""
        counts = np.zeros((len(self._index), 2))
        for o in outcomes:
            counts[self._index[o.item.case_id]] += (event(o), 1)
        hits, total = (self._weights @ counts).T
        return _divide(hits, total)

    def score(self, outcomes: Sequence[Outcome], spec: TaskSpec) -> Floats:
        """`(n_samples,)` of the task's metric."""
        if spec.metric == "accuracy":
            return self.rate(outcomes, lambda o: o.correct)
        labels = _labels(outcomes, spec)
        index = {label: i for i, label in enumerate(labels)}
        n = len(labels)
        counts = np.zeros((len(self._index), n, n + 1))
        for o in outcomes:
            counts[self._index[o.item.case_id], index[o.item.label], index.get(o.predicted or "", n)] += 1
        return _macro_f1(np.tensordot(self._weights, counts, axes=1))


def _mean_of_known(values: Floats, axis: int) -> Floats:
    """The mean without the NaNs; NaN where there is nothing else."""
    return _divide(np.nansum(values, axis=axis), np.sum(~np.isnan(values), axis=axis, dtype=np.float64))


def _divide(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)


def _interval(samples: Floats) -> list[float] | None:
    kept = samples[~np.isnan(samples)]
    return [float(np.percentile(kept, 2.5)), float(np.percentile(kept, 97.5))] if len(kept) else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
