"""`metrics.json` as typed records, checked when they are read. All rates are fractions; what does not apply is None."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bsft.bench.records import Group, Metric
from bsft.records.untrusted import read_record


def _without_rounding(value: object) -> object:
    """Single-precision metrics may pass 1 by their last digit."""
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


class TaskScore(_Record):
    score: Fraction | None
    metric: Metric
    n: Annotated[int, Field(ge=1)]
    ci95: Interval | None = None
    group: Group


class Restraint(_Record):
    over_intervention_rate: Fraction | None = None
    over_intervention_ci95: Interval | None = None
    pair_accuracy: Fraction | None = None
    auroc_flag: Fraction | None = None


class Scores(_Record):
    """What a run and a naive policy have in common."""

    overall: Summary | None = None
    group: dict[Group, Summary | None] = {}
    restraint: Restraint = Restraint()


class NaiveScores(Scores):
    task: dict[str, Fraction | None] = {}


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
    unparsed_rate: Fraction | None = None
    agreement: Fraction | None = None
    n: int


class Cost(_Record):
    fit_s: Seconds | None = None
    score_s: Seconds | None = None


class Result(Scores):
    """One run's `metrics.json`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    method: str
    model: str
    data: str
    split: str
    seed: int
    n: Annotated[int, Field(ge=1)]
    n_evidence_lost: int = 0
    n_shortened: int = 0
    overall: Summary
    task: Annotated[dict[str, TaskScore], Field(min_length=1)]
    naive: dict[str, NaiveScores] = {}
    behavior: BehaviorScores | None = None
    generation: Generation | None = None
    cost: Cost = Cost()


def read_result(file: Path) -> Result:
    """Reads and checks one `metrics.json`.

    Raises:
        BadInput: missing, not JSON, or a field is wrong; names the file and the field.
    """
    return read_record(Result, file)
