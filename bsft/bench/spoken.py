"""How names, values and times are said or printed."""

from bsft.bench.bank.reference_schema import Analyte
from bsft.bench.bank.schema import Medication, Range

DISPLAYED_VITALS = (
    "heart_rate_bpm", "systolic_bp_mmhg", "temperature_c", "oxygen_saturation_percent", "respiratory_rate_per_min",
)  # fmt: skip
VITAL_PHRASES = {
    "heart_rate_bpm": ("heart rate", "heart rate {value}"),
    "systolic_bp_mmhg": ("blood pressure", "blood pressure {value}/{diastolic}"),
    "temperature_c": ("temperature", "temperature {value}"),
    "oxygen_saturation_percent": ("oxygen saturation", "oxygen saturation {value}%"),
    "respiratory_rate_per_min": ("respiratory rate", "respiratory rate {value}"),
}
"""Name and spoken form of the vital signs that scenes show."""

PROPER_NAMES = frozenset({"Doppler", "Kernig", "Rinne", "Weber", "Glasgow", "Epley"})


def number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def dose_text(medication: Medication) -> str:
    """ "metformin 500 mg twice daily"."""
    return f"{medication.drug} {medication.dose:g} {medication.unit} {medication.frequency}"


def clock(minutes: int) -> str:
    """Minutes after midnight as "09:40"."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def lab_row(analyte: Analyte, value: float, reference: Range) -> str:
    """A row of a laboratory table: "Potassium 4.1 mmol/L (ref 3.5-5.3)"."""
    return f"{analyte.name} {measured(analyte, value)} ({reference_text(analyte, reference)})"


def measured(analyte: Analyte, value: float) -> str:
    """A result with its unit, if it has one: "4.1 mmol/L"."""
    shown = number(value, analyte.decimals)
    if analyte.detection_limit is not None and value < analyte.detection_limit:
        shown = f"<{number(analyte.detection_limit, analyte.decimals)}"
    return shown if analyte.unit in ("", "pH", "ratio") else f"{shown} {analyte.unit}"


def reference_text(analyte: Analyte, reference: Range) -> str:
    low, high = number(reference.low, analyte.decimals), number(reference.high, analyte.decimals)
    return f"ref <{high}" if reference.low <= analyte.plausible.low or reference.low == 0 else f"ref {low}-{high}"


def spoken(name: str) -> str:
    """A display name inside a sentence: "chest X-ray", but "MRI of the spine" and "Murphy's sign" as they are."""
    first = name.split()[0]
    if "'" in first or first in PROPER_NAMES or first[1:] != first[1:].lower() or not first[1:]:
        return name
    return name[0].lower() + name[1:]


def spoken_analyte(analyte: Analyte) -> str:
    """An analyte's name inside a sentence: "potassium", "INR", "D-dimer"."""
    return spoken(analyte.name)
