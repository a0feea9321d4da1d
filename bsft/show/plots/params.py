"""What each kind of figure may be given."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

Rhythm = Literal["sinus", "atrial_fibrillation", "atrial_flutter", "ventricular_tachycardia", "complete_heart_block"]
PWaves = Literal["present", "flattened", "absent", "dissociated"]

Percent = Annotated[float, Field(ge=5, le=160)]
ThresholdDb = Annotated[float, Field(ge=-10, le=120)]


class Parameters(BaseModel):
    """Base: numbers, texts and lists as they stand in an `ImageSpec`, none unknown, none coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Series(Parameters):
    """Base: the first list has the positions of the values in the others, in increasing order."""

    @model_validator(mode="after")
    def _lists_agree(self) -> Self:
        (position, positions), *others = [(name, value) for name, value in self if isinstance(value, list)]
        for name, values in others:
            if len(values) != len(positions):
                raise ValueError(f"{name} has {len(values)} values for {len(positions)} {position}")
        if any(later <= earlier for earlier, later in pairwise(positions)):
            raise ValueError(f"{position} must increase; found {', '.join(f'{value:g}' for value in positions)}")
        return self


class Ecg(Parameters):
    """A resting ECG. Leads are named in one text, separated by commas; without `leads` all twelve are drawn."""

    rhythm: Rhythm = "sinus"
    rate_bpm: Annotated[float, Field(ge=20, le=300)]
    """Ventricular rate."""
    pr_ms: Annotated[float, Field(ge=60, le=500)] = 160.0
    qrs_ms: Annotated[float, Field(ge=50, le=260)] = 90.0
    st_mm: Annotated[float, Field(ge=-10, le=10)] = 0.0
    """Level of the ST segment in `st_leads` (10 mm are 1 mV)."""
    st_leads: str = ""
    p_waves: PWaves | None = None
    """Without it, what the rhythm has."""
    t_wave: Literal["normal", "peaked", "flat", "inverted"] = "normal"
    pattern: Literal["none", "lbbb", "rbbb", "s1q3t3", "delta"] = "none"
    leads: str = ""

    @field_validator("st_leads", "leads")
    @classmethod
    def _leads_exist(cls, text: str) -> str:
        if unknown := [lead for lead in lead_names(text) if lead not in LEADS]:
            raise ValueError(f"no lead {', '.join(unknown)}; allowed are {', '.join(LEADS)}")
        return text


class Spirometry(Parameters):
    fev1_percent: Percent
    """Percent of predicted, as is `fvc_percent`."""
    fvc_percent: Percent
    fev1_fvc: Annotated[float, Field(ge=0.15, le=0.98)]
    pattern: Literal["normal", "obstructive", "restrictive", "mixed"] | None = None
    """The interpretation, which the numbers already hold; nothing is drawn from it."""


class Audiogram(Series):
    """Air conduction thresholds in dB HL."""

    frequencies_hz: Annotated[list[Annotated[float, Field(ge=125, le=8000)]], Field(min_length=2)]
    right_db: list[ThresholdDb]
    left_db: list[ThresholdDb]


class Tympanogram(Parameters):
    peak_dapa: Annotated[float, Field(ge=-400, le=200)]
    compliance_ml: Annotated[float, Field(ge=0, le=5)]


class LabTrend(Series):
    analyte: str
    """Id in the bank's reference values."""
    hours: Annotated[list[float], Field(min_length=2)]
    values: list[float]


class TemperatureChart(Series):
    hours: Annotated[list[float], Field(min_length=2)]
    celsius: list[Annotated[float, Field(ge=20, le=45)]]


class GrowthChart(Series):
    age_months: Annotated[list[Annotated[float, Field(ge=0, le=120)]], Field(min_length=2)]
    weight_kg: list[Annotated[float, Field(gt=0, le=150)]]


class ChestXray(Parameters):
    finding: Literal["rib", "nodule", "diaphragm", "plate"]
    """A healed rib, a calcified spot, a raised diaphragm, a plate on the collar bone."""
    side: Literal["left", "right"]
    """The patient's."""


def lead_names(text: str) -> tuple[str, ...]:
    """`"II, III"` -> `("II", "III")`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
