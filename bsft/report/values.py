"""The values of a comparison: where each is in `metrics.json`, and how those of several seeds become one."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bsft.records.schema import BEHAVIORS
from bsft.scoring.result import Interval, NaiveScores, Result

ARMS = ("predicted", "none", "forced_wrong", "forced_right")
ARM_VALUES = ("macro_f1", "proactive", "over_intervention_rate")
FLAG_VALUES = ("auc", "paired_auc", "missed_intervention_rate", "pair_accuracy_by_chance", "twin_effect_nats")
MATCHED_VALUES = ("proactive", "over_intervention_rate", "missed_intervention_rate")

Place = Sequence[str]
"""Where a value is: the fields and keys that lead to it."""


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


COMMON: dict[str, Place] = {
    "macro_f1": ("overall", "macro_f1"),
    **{group: ("group", group, "macro_f1") for group in BEHAVIORS},
    "accuracy": ("overall", "accuracy"),
    "mcc": ("overall", "mcc"),
    "over_intervention_rate": ("restraint", "over_intervention_rate"),
    "pair_accuracy": ("restraint", "pair_accuracy"),
}
"""Values of runs and naive policies alike."""

OF_RUNS: dict[str, Place] = {
    "token_accuracy": ("behavior", "token_accuracy"),
    "fit_s": ("cost", "fit_s"),
    "score_s": ("cost", "score_s"),
    **{name: ("flags", "overall", name) for name in FLAG_VALUES},
    **{f"noise.{variant}": ("flags", "noise_floor", variant, "median_nats") for variant in ("paraphrase", "other_sex")},
    "spread": ("flags", "within_item_spread_nats"),
    "prior_removed.auc": ("flags", "prior_removed", "auc"),
    **{f"matched.{name}": ("flags", "matched", name) for name in MATCHED_VALUES},
    **{f"prior_removed.{name}": ("flags", "prior_removed", "matched", name) for name in MATCHED_VALUES},
    **{f"arm.{arm}.{value}": ("behavior", "arms", arm, value) for arm in ARMS for value in ARM_VALUES},
    **{f"generation.{value}": ("generation", value) for value in ("unparsed_rate", "agreement")},
}


def row_values(sources: Sequence[Result | NaiveScores], places: Mapping[str, Place]) -> dict[str, RowValue]:
    """One value per name; a value that some source lacks is left out, and so is the time of a fit that was none."""
    found = {}
    for name, place in places.items():
        values = [value for source in sources if (value := _at(source, place)) is not None]
        if len(values) < len(sources) or (name == "fit_s" and 0 in values):
            continue
        if len(values) == 1:
            found[name] = RowValue(values[0], ci95=_interval(sources[0], place))
        else:
            found[name] = RowValue(statistics.fmean(values), sd=statistics.stdev(values))
    return found


def _at(source: object, place: Place) -> Any:
    """What stands at a place; None where a part of the way is missing."""
    for step in place:
        source = source.get(step) if isinstance(source, Mapping) else getattr(source, step, None)
    return source


def _interval(source: object, place: Place) -> Interval | None:
    """What stands beside a value: `macro_f1_ci95`, `over_intervention_ci95` of a rate, or just `ci95` of a score."""
    *above, name = place
    owner = _at(source, above)
    return getattr(owner, f"{name.removesuffix('_rate')}_ci95", None) or getattr(owner, "ci95", None)
