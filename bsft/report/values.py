"""The values of a comparison: where each is in `metrics.json`, and how those of several seeds become one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bsft.records.schema import BEHAVIORS, Group
from bsft.scoring.result import Interval, NaiveScores, Result

ARMS = {
    "predicted": "predicted token",
    "none": "no token",
    "forced_wrong": "wrong token forced",
    "forced_right": "right token forced (oracle bound, not a result)",
}
"""Ways of choosing the behaviour token in the order in which they are shown, with their display names."""
ARM_VALUES = ("macro_f1", "proactive", "over_intervention_rate")

FLAG_VALUES = ("auc", "paired_auc", "missed_intervention_rate", "pair_accuracy_by_chance", "twin_effect_nats")
MATCHED_VALUES = ("proactive", "over_intervention_rate", "missed_intervention_rate")

Measured = tuple[float | None, Interval | None]
"""A value of one run with its bootstrap interval."""
Source = TypeVar("Source")


@dataclass(frozen=True)
class RowValue:
    """A value: of one run, with its bootstrap interval, or the mean over seeds with the sample standard deviation."""

    mean: float
    sd: float | None = None
    ci95: Interval | None = None

    @property
    def whiskers(self) -> list[list[float]]:
        """Distances below and above the mean, `(2, 1)`, as error bars want them; zero when nothing is known."""
        if self.sd is not None:
            return [[self.sd], [self.sd]]
        low, high = self.ci95 or (self.mean, self.mean)
        return [[max(0.0, self.mean - low)], [max(0.0, high - self.mean)]]


def _of_group(group: Group) -> Callable[[Result | NaiveScores], Measured]:
    def measured(scores: Result | NaiveScores) -> Measured:
        summary = scores.group.get(group)
        return (summary.macro_f1, summary.macro_f1_ci95) if summary else (None, None)

    return measured


def _of_arm(arm: str, value: str) -> Callable[[Result], Measured]:
    def measured(result: Result) -> Measured:
        found = result.behavior.arms.get(arm) if result.behavior else None
        return (getattr(found, value) if found else None, None)

    return measured


def _of_generation(value: str) -> Callable[[Result], Measured]:
    return lambda result: (getattr(result.generation, value) if result.generation else None, None)


def _of_flags(name: str) -> Callable[[Result], Measured]:
    """A figure of `flags.overall`, with its interval where there is one."""

    def measured(result: Result) -> Measured:
        found = result.flags.overall if result.flags else None
        return (getattr(found, name), getattr(found, f"{name}_ci95", None)) if found else (None, None)

    return measured


def _of_matched(name: str, *, prior_removed: bool) -> Callable[[Result], Measured]:
    """A figure at matched over-intervention."""

    def measured(result: Result) -> Measured:
        of = result.flags.prior_removed if result.flags and prior_removed else result.flags
        return (getattr(of.matched, name), None) if of and of.matched else (None, None)

    return measured


def _of_noise(variant: str) -> Callable[[Result], Measured]:
    def measured(result: Result) -> Measured:
        found = result.flags.noise_floor.get(variant) if result.flags else None
        return (found.median_nats if found else None, None)

    return measured


def _spread(result: Result) -> Measured:
    return (result.flags.within_item_spread_nats if result.flags else None, None)


def _auc_without_prior(result: Result) -> Measured:
    removed = result.flags.prior_removed if result.flags else None
    return (removed.auc if removed else None, None)


COMMON: dict[str, Callable[[Any], Measured]] = {
    "macro_f1": lambda s: (s.overall.macro_f1, s.overall.macro_f1_ci95) if s.overall else (None, None),
    **{group: _of_group(group) for group in BEHAVIORS},
    "accuracy": lambda s: (s.overall.accuracy if s.overall else None, None),
    "mcc": lambda s: (s.overall.mcc if s.overall else None, None),
    "over_intervention_rate": lambda s: (s.restraint.over_intervention_rate, s.restraint.over_intervention_ci95),
    "pair_accuracy": lambda s: (s.restraint.pair_accuracy, None),
}
"""Values of runs and naive policies alike."""

OF_RUNS: dict[str, Callable[[Result], Measured]] = {
    "token_accuracy": lambda r: (r.behavior.token_accuracy if r.behavior else None, None),
    # a method that is not fitted records no time or zero
    "fit_s": lambda r: (r.cost.fit_s or None, None),
    "score_s": lambda r: (r.cost.score_s, None),
    **{name: _of_flags(name) for name in FLAG_VALUES},
    **{f"noise.{variant}": _of_noise(variant) for variant in ("paraphrase", "other_sex")},
    "spread": _spread,
    "prior_removed.auc": _auc_without_prior,
    **{f"matched.{name}": _of_matched(name, prior_removed=False) for name in MATCHED_VALUES},
    **{f"prior_removed.{name}": _of_matched(name, prior_removed=True) for name in MATCHED_VALUES},
    **{f"arm.{arm}.{value}": _of_arm(arm, value) for arm in ARMS for value in ARM_VALUES},
    **{f"generation.{value}": _of_generation(value) for value in ("unparsed_rate", "agreement")},
}


def row_values(sources: Sequence[Source], measures: Mapping[str, Callable[[Source], Measured]]) -> dict[str, RowValue]:
    """One value per measure; a measure that some source lacks is left out."""
    found = {}
    for name, measure in measures.items():
        measured = [measure(source) for source in sources]
        values = [value for value, _ in measured if value is not None]
        if not values or len(values) < len(measured):
            continue
        if len(values) == 1:
            found[name] = RowValue(values[0], ci95=measured[0][1])
        else:
            found[name] = RowValue(statistics.fmean(values), sd=statistics.stdev(values))
    return found


def paired_auc(kind: str) -> Callable[[Result], Measured]:
    """The paired area of one kind of problem."""

    def measured(result: Result) -> Measured:
        found = result.flags.kind.get(kind) if result.flags else None
        return (found.paired_auc, found.paired_auc_ci95) if found else (None, None)

    return measured


def task_score(name: str) -> Callable[[Result], Measured]:
    """The measure of one task."""

    def measured(result: Result) -> Measured:
        task = result.task.get(name)
        return (task.score, task.ci95) if task else (None, None)

    return measured
