"""From responses to numbers: macro-F1, accuracy, MCC, restraint, with intervals by bootstrap over cases.

Group and overall values are unweighted means over tasks. A task with a constant gold label reports accuracy in the
macro-F1 slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchmetrics.functional import matthews_corrcoef

from bsft.bench.records import BEHAVIORS, Item, TaskSpec
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


def evaluate(
    responses: Sequence[Response], tasks: Mapping[str, TaskSpec], *, bootstrap_samples: int, seed: int = 0
) -> dict[str, Any]:
    """`overall`, `group`, `task` and `restraint` of metrics.json.

    Raises:
        ValueError: no responses; an empty evaluation is an error, not a score of zero.
    """
    if not responses:
        raise ValueError("nothing to evaluate: no item was scored")
    by_task = _by_task(responses, tasks)
    resamples = CaseResamples(_cases(responses), bootstrap_samples, seed)
    table: dict[str, dict[str, Any]] = {}
    samples: dict[str, Floats] = {}
    for name, own in by_task.items():
        spec = tasks[name]
        samples[name] = _task_samples(own, spec, resamples)
        table[name] = {
            "score": task_score(own, spec),
            "metric": spec.metric,
            "n": len(own),
            "ci95": _interval(samples[name]),
            "accuracy": _mean([r.correct for r in own]),
            "mcc": _task_mcc(own, spec),
            "group": spec.group,
            "support": dict(sorted(Counter(r.item.label for r in own).items())),
        }
    groups = {}
    for group in BEHAVIORS:
        names = [name for name in table if tasks[name].group == group]
        groups[group] = _summary(names, table, samples, [r for n in names for r in by_task[n]]) if names else None
    return {
        "overall": _summary(list(table), table, samples, responses),
        "group": groups,
        "task": table,
        "restraint": restraint(responses, resamples),
    }


def _by_task(responses: Sequence[Response], tasks: Mapping[str, TaskSpec]) -> dict[str, list[Response]]:
    found: dict[str, list[Response]] = {name: [] for name in tasks}
    for response in responses:
        found[response.item.task].append(response)
    return {name: own for name, own in found.items() if own}


def _summary(
    names: Sequence[str], table: Mapping[str, Any], samples: Mapping[str, Floats], responses: Sequence[Response]
) -> dict[str, Any]:
    return {
        "macro_f1": _mean([table[name]["score"] for name in names]),
        "macro_f1_ci95": _interval(mean_of_known(np.array([samples[name] for name in names]), axis=0)),
        "accuracy": _mean([table[name]["accuracy"] for name in names]),
        "mcc": flag_mcc(responses),
    }


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
    """Matthews correlation of raising a concern with having to, over items; None where gold is constant."""
    gold = torch.tensor([r.item.gold_behavior == "proactive" for r in responses]).int()
    if len(set(gold.tolist())) < 2:
        return None
    return float(matthews_corrcoef(torch.tensor([r.flagged for r in responses]).int(), gold, task="binary"))


def restraint(responses: Sequence[Response], resamples: CaseResamples | None = None) -> dict[str, Any]:
    """Over-intervention (a flag where gold is not proactive) and pair accuracy (both twins right)."""
    quiet = [r for r in responses if r.item.gold_behavior != "proactive"]
    flagged = np.array([r.flagged for r in quiet])
    by_id = {r.item.id: r for r in responses}
    pairs = [
        (r, by_id[r.item.twin_id])
        for r in responses
        if r.item.variant == "perturbed" and r.item.twin_id is not None and r.item.twin_id in by_id
    ]
    return {
        "over_intervention_rate": _mean(flagged) if quiet else None,
        "over_intervention_ci95": _interval(resamples.mean(flagged, _cases(quiet))) if quiet and resamples else None,
        "pair_accuracy": _mean([a.correct and b.correct for a, b in pairs]) if pairs else None,
    }


def known(value: float) -> float | None:
    """A measure as it is written: None where it is not defined."""
    return None if np.isnan(value) else value


def _interval(samples: Floats) -> list[float] | None:
    found = interval95(samples)
    return None if found is None else list(found)


def _mean(values: Sequence[float] | Booleans) -> float:
    return float(np.mean(values))
