"""`metrics.json` as typed records: scoring makes them, the report reads them. Imports no torch.

All rates are fractions; what does not apply is None. Fields stand in the order in which they are written.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bsft.records.schema import Group, Metric


def _without_rounding(value: object) -> object:
    """A metric may pass 1 by its last digit, in single precision too."""
    if isinstance(value, float) and 1 < abs(value) < 1 + 1e-6:
        return 1.0 if value > 0 else -1.0
    return value


Fraction = Annotated[float, Field(ge=0, le=1), BeforeValidator(_without_rounding)]
Interval = tuple[Fraction, Fraction]
Correlation = Annotated[float, Field(ge=-1, le=1), BeforeValidator(_without_rounding)]
Seconds = Annotated[float, Field(ge=0)]


class _Record(BaseModel):
    """Later fields of the same schema version are allowed and ignored; NaN is not a measurement."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


class Summary(_Record):
    """Scores over several tasks."""

    macro_f1: Fraction | None
    macro_f1_ci95: Interval | None = None
    accuracy: Fraction | None = None
    mcc: Correlation | None = None
    """Of raising a concern with having to."""


class TaskScore(_Record):
    score: Fraction | None
    metric: Metric
    n: Annotated[int, Field(ge=1)]
    ci95: Interval | None = None
    accuracy: Fraction | None = None
    mcc: Correlation | None = None
    """Of predicted and gold labels."""
    group: Group
    support: dict[str, int] = {}
    """Gold label -> items."""


class Restraint(_Record):
    over_intervention_rate: Fraction | None = None
    over_intervention_ci95: Interval | None = None
    pair_accuracy: Fraction | None = None


class Scores(_Record):
    """What responses to items are worth."""

    overall: Summary
    group: dict[Group, Summary | None]
    task: dict[str, TaskScore]
    restraint: Restraint


class NaiveScores(_Record):
    """The same of a naive policy, with less about each task."""

    overall: Summary | None = None
    group: dict[Group, Summary | None] = {}
    task: dict[str, Fraction | None] = {}
    restraint: Restraint = Restraint()


class FlagScores(_Record):
    """How well some items tell when a concern is due; areas are of the margin, the rest is of what is said."""

    n: int
    n_pairs: int
    auc: Fraction | None = None
    """Items that need a concern against all others."""
    auc_ci95: Interval | None = None
    paired_auc: Fraction | None = None
    """How often the margin of a problem is above that of its own twin, ties counting half."""
    paired_auc_ci95: Interval | None = None
    macro_f1: Fraction | None = None
    over_intervention_rate: Fraction | None = None
    missed_intervention_rate: Fraction | None = None
    pair_accuracy: Fraction | None = None
    twin_effect_nats: float | None = None
    """How far the margins of a problem and of its own twin are apart, the median over pairs."""
    pair_accuracy_by_chance: Fraction | None = None
    """What pair accuracy would be if twins were answered independently of each other."""


class NoiseFloor(_Record):
    """How far, in nats, a margin moves when an item is restated without changing anything that matters."""

    n: int
    median_nats: float


class Matched(_Record):
    """The same model at a threshold that gives the wanted rate of over-intervention on validation items."""

    target: Fraction
    threshold_nats: float
    n_calm: int
    """Validation items that need no concern."""
    macro_f1: Fraction | None = None
    proactive: Fraction | None = None
    over_intervention_rate: Fraction | None = None
    missed_intervention_rate: Fraction | None = None
    pair_accuracy: Fraction | None = None


class PriorRemoved(_Record):
    """With the margin of the same request without its scene subtracted."""

    auc: Fraction | None = None
    matched: Matched | None = None


class FlagReport(_Record):
    """Everything about raising concerns."""

    overall: FlagScores
    task: dict[str, FlagScores] = {}
    kind: dict[str, FlagScores] = {}
    """Of problems and their twins, by `family/type`."""
    over_intervention_by_variant: dict[str, Fraction] = {}
    within_item_spread_nats: float | None = None
    """Median over items of how far apart the concerns lie, per token."""
    noise_floor: dict[str, NoiseFloor] = {}
    """By variant of the restatement: `paraphrase`, `other_sex`."""
    threshold_nats: float | None = None
    """Above which concerns were raised, where it was chosen on validation items (`method.threshold`)."""
    matched: Matched | None = None
    prior_removed: PriorRemoved | None = None


class Arm(_Record):
    """One way of choosing the behaviour token."""

    macro_f1: Fraction | None = None
    proactive: Fraction | None = None
    over_intervention_rate: Fraction | None = None


class BehaviorScores(_Record):
    token_accuracy: Fraction | None = None
    auroc_proactive: Fraction | None = None
    arms: dict[str, Arm] = {}


class Generation(_Record):
    n: int
    unparsed_rate: Fraction | None = None
    accuracy: Fraction | None = None
    agreement: Fraction | None = None


class Cost(_Record):
    fit_s: Seconds | None = None
    score_s: Seconds | None = None
    tokens: int | None = None
    peak_rss_mb: int | None = None


class Evaluated(_Record):
    """What scored items give, whichever run they are of."""

    n: Annotated[int, Field(ge=1)]
    n_shortened: int = 0
    n_evidence_lost: int = 0
    overall: Summary
    group: dict[Group, Summary | None] = {}
    task: Annotated[dict[str, TaskScore], Field(min_length=1)]
    restraint: Restraint = Restraint()
    flags: FlagReport | None = None
    naive: dict[str, NaiveScores] = {}
    behavior: BehaviorScores | None = None


class Origin(_Record):
    """Whose metrics these are."""

    schema_version: Literal[1] = Field(alias="schema")
    method: str
    model: str
    data: str
    split: str
    seed: int


class Result(Evaluated, Origin):
    """One run's `metrics.json`: first the fields of `Origin`, then those of `Evaluated`, then these."""

    generation: Generation | None = None
    cost: Cost = Cost()

    def to_dict(self) -> dict[str, Any]:
        """As it is written."""
        return self.model_dump(mode="json", by_alias=True)
