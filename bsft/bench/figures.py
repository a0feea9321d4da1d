"""Figures as data: what a text-only model reads instead of pixels, and charts simulated from a case."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from bsft.bench.bank.reference_schema import Analyte
from bsft.bench.spoken import number
from bsft.bench.wordings import load_words
from bsft.records.schema import ImageSpec

Params = Mapping[str, float | str | list[float]]
XrayKind = Literal["rib", "nodule", "diaphragm", "plate"]

TRENDS = frozenset({"lab_trend", "temperature_chart", "growth_chart"})
"""Kinds that show one value over time."""

CHART_HOURS = (0.0, 6.0, 12.0, 18.0, 24.0)
MIN_AMPLITUDE_STEPS = 6
"""The largest change of a chart, at least, in units of the last decimal that is reported."""
MIN_RELATIVE_CHANGE = 0.15
"""... and as a share of its first value: less would be read as stable."""
TEMPERATURE_CHANGE_C = (0.6, 0.9)
"""Small enough to be survived from any temperature, large enough to be seen."""


@dataclass(frozen=True)
class Reading:
    """A figure, its right reading and wrong ones of the same form."""

    spec: ImageSpec
    right: str
    wrong: Sequence[str]


def describe(kind: str, params: Params, analytes: Mapping[str, Analyte]) -> str:
    """The raw content of a figure in words and numbers, without its interpretation."""
    if kind == "ecg":
        return _describe_ecg(params)
    if kind == "spirometry":
        return (
            f"Spirometry: FEV1 {params['fev1_percent']:g}% of predicted, FVC {params['fvc_percent']:g}% of predicted, "
            f"FEV1/FVC {params['fev1_fvc']:g}"
        )
    if kind == "audiogram":
        hertz, right, left = (_series(params, key) for key in ("frequencies_hz", "right_db", "left_db"))
        ears = [f"{ear} ear {_pairs(hertz, levels, ' Hz')} dB" for ear, levels in (("right", right), ("left", left))]
        return "Audiogram: " + "; ".join(ears)
    if kind == "lab_trend":
        analyte = analytes[str(params["analyte"])]
        values = _pairs(_series(params, "hours"), _series(params, "values"), " h")
        return f"{analyte.name} ({analyte.unit}): {values}"
    if kind == "temperature_chart":
        return f"Temperature (°C): {_pairs(_series(params, 'hours'), _series(params, 'celsius'), ' h')}"
    if kind == "growth_chart":
        return f"Weight (kg): {_pairs(_series(params, 'age_months'), _series(params, 'weight_kg'), ' months')}"
    if kind == "tympanogram":
        return f"Tympanogram: peak at {params['peak_dapa']:g} daPa, compliance {params['compliance_ml']:g} mL"
    if kind == "chest_xray":
        seen = load_words().figures.chest_xray[_finding(params)].seen.format(side=params["side"])
        return f"Chest X-ray: both lungs dark to the edge, a slim heart, {seen}"
    raise ValueError(f"unknown figure {kind!r}; known are {', '.join(load_words().figures.names)}")


def _finding(params: Params) -> XrayKind:
    return cast(XrayKind, params["finding"])


def _describe_ecg(params: Params) -> str:
    parts = [f"rate {params['rate_bpm']:g}/min"]
    p_waves = str(params.get("p_waves", "present"))
    parts.append(f"P waves {p_waves}")
    if params.get("rhythm") == "atrial_flutter":
        parts.append("saw-tooth baseline")
    elif params.get("rhythm") == "atrial_fibrillation":
        parts.append("irregular RR intervals")
    if "pr_ms" in params:
        parts.append(f"PR {params['pr_ms']:g} ms")
    if "qrs_ms" in params:
        parts.append(f"QRS {params['qrs_ms']:g} ms")
    if params.get("st_mm") and params.get("st_leads"):
        parts.append(f"ST {params['st_mm']:+g} mm in {params['st_leads']}")
    else:
        parts.append("ST level")
    if "t_wave" in params:
        parts.append(f"T waves {params['t_wave']}")
    if (pattern := str(params.get("pattern", "none"))) in (known := load_words().figures.ecg_patterns):
        parts.append(known[pattern])
    return "ECG: " + ", ".join(parts)


def _series(params: Params, key: str) -> list[float]:
    values = params[key]
    assert isinstance(values, list)
    return values


def _pairs(positions: Sequence[float], values: Sequence[float], unit: str) -> str:
    return ", ".join(f"{p:g}{unit} {v:g}" for p, v in zip(positions, values, strict=True))


def ecg_tracing(rate_bpm: float, rng: random.Random, *, quiet: bool = False) -> Reading:
    """A tracing in sinus rhythm at the patient's own rate; `quiet` ones nobody would have to speak of."""
    tracings = load_words().figures.ecg
    chosen = rng.choice([tracing for tracing in tracings if tracing.quiet or not quiet])
    params = {"rate_bpm": rate_bpm, "p_waves": "present", **chosen.params}
    others = [tracing.reading for tracing in tracings if tracing is not chosen]
    spec = ImageSpec.model_construct(kind="ecg", params=params, alt=chosen.reading)
    return Reading(spec, chosen.reading, rng.sample(others, len(others)))


def chest_xray(rng: random.Random) -> Reading:
    """A chance finding that has a side; wrong readings have the other side, or are other findings."""
    findings = load_words().figures.chest_xray
    readings = {(f, side): findings[f].reading.format(side=side) for f in findings for side in ("left", "right")}
    finding, side = chosen = rng.choice(list(readings))
    right = readings.pop(chosen)
    spec = ImageSpec.model_construct(kind="chest_xray", params={"finding": finding, "side": side}, alt=right)
    return Reading(spec, right, rng.sample(list(readings.values()), len(readings)))


def lab_chart(analyte_id: str, analyte: Analyte, name: str, start: float, rng: random.Random) -> Reading | None:
    """A simulated trend of a result; None where its changes would be too small to see or incompatible with life.

    No result moves further than it can within a day: an albumin or an HbA1c has no chart at all. Whether there is a
    chart does not depend on its shape, so that all shapes are equally frequent.
    """
    if not (analyte.plausible.low <= 0.4 * start and 1.9 * start <= analyte.plausible.high) or start <= 0:
        return None
    amplitude = start * rng.uniform(0.3, 0.55)
    # The course spans no more than its largest change, so that no two of its points lie further apart.
    amplitude = min(amplitude, analyte.max_change_per_day or amplitude)
    if amplitude < max(MIN_AMPLITUDE_STEPS * 10**-analyte.decimals, MIN_RELATIVE_CHANGE * start):
        return None
    shape, course = rng.choice(list(load_words().figures.shapes.items()))
    values = [float(number(start + amplitude * step, analyte.decimals)) for step in course]
    params: dict[str, float | str | list[float]] = {
        "analyte": analyte_id, "hours": list(CHART_HOURS), "values": values,
    }  # fmt: skip
    return _chart("lab_trend", params, name, shape, rng)


def temperature_chart(start: float, rng: random.Random) -> Reading:
    """A simulated temperature chart that starts at the measured temperature."""
    shape, course = rng.choice(list(load_words().figures.shapes.items()))
    amplitude = rng.uniform(*TEMPERATURE_CHANGE_C)
    celsius = [round(start + amplitude * step, 1) for step in course]
    return _chart("temperature_chart", {"hours": list(CHART_HOURS), "celsius": celsius}, "temperature", shape, rng)


def _chart(
    kind: str, params: dict[str, float | str | list[float]], what: str, shape: str, rng: random.Random
) -> Reading:
    right = shape.format(what=what)
    wrong = [other.format(what=what) for other in load_words().figures.shapes if other != shape]
    rng.shuffle(wrong)
    return Reading(ImageSpec(kind=kind, params=params, alt=right), right, wrong)
