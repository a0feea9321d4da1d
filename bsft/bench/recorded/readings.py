"""What can be measured in a record: vital signs and results that the case bank knows, with their limits.

Only what is beyond doubt is read: a known name and unit, one value, no remark but its direction, and no second value
of the same kind anywhere in the record. Everything else is shown as it stands and never changed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from bsft.bench.bank.load import load_bank
from bsft.bench.bank.reference_schema import Analyte
from bsft.bench.limits import reference_range
from bsft.bench.oracle import value_is_impossible
from bsft.bench.person import Person
from bsft.bench.recorded.measurements import NUMBER, measurement, plain_units
from bsft.bench.recorded.naming import spellings
from bsft.bench.spoken import VITAL_PHRASES, number
from bsft.records.schema import Fact

ADULT_AGE_YEARS = 16
"""From this age on the case bank's reference ranges and critical limits are used."""

_OTHER_SPECIMEN = re.compile(
    r"urin|csf|cerebrospinal|lumbar|synovial|pleural|ascit|peritoneal|fluid|stool|f(?:a)?ecal|sweat|semen|sputum|breast"
    r"|cord blood|dialysate|biopsy|percent|differential",
    re.IGNORECASE,
)
"""Results of other specimens share the names of blood results."""

_DIRECTIONS: Mapping[str, re.Pattern[str]] = {
    "high": re.compile(r"\((?:\w+ )?(?:elevated|high|increased|raised|prolonged)\)"),
    "low": re.compile(r"\((?:\w+ )?(?:low|decreased|reduced)\)"),
    "normal": re.compile(r"\((?:normal|within normal limits|normal range)\)"),
}
_ANY_REFERENCE = re.compile(r"\((?:normal|ref)[^()]*\d[^()]*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """A laboratory result as a scene prints it.

    Attributes:
        fact_id: the fact it comes from.
        analyte_id: the analyte of the case bank.
        name: as the record calls it.
        value: in `unit`, the record's unit.
        factor: multiplies `value` to reach the bank's unit.
        limits: the reference range that is printed beside it, in `unit`; None where none is.
    """

    fact_id: str
    analyte_id: str
    name: str
    value: float
    unit: str
    decimals: int
    factor: float
    limits: tuple[float, float] | None

    @property
    def analyte(self) -> Analyte:
        return load_bank().analytes[self.analyte_id]

    @property
    def factors(self) -> Mapping[str, float]:
        """Unit -> what a value in it is multiplied by to reach the bank's unit."""
        return _factors(self.analyte_id)

    @property
    def spoken_name(self) -> str:
        """The name inside a sentence: "white blood cell count", but "WBC" and "Na"."""
        return " ".join(word.lower() if len(word) > 3 and word[1:].islower() else word for word in self.name.split())

    @property
    def bank_value(self) -> float:
        return self.value * self.factor

    def measured(self, printed: str | None = None, unit: str | None = None) -> str:
        """ "10.2 g/dL", or another number or unit in its place."""
        unit = self.unit if unit is None else unit
        return f"{number(self.value, self.decimals) if printed is None else printed} {unit}".rstrip()

    def row(self, printed: str | None = None, unit: str | None = None) -> str:
        """ "Hemoglobin: 10.2 g/dL (ref 11.5-16)"."""
        text = f"{self.name}: {self.measured(printed, unit)}"
        return text if self.limits is None else f"{text} (ref {self.limits[0]:g}-{self.limits[1]:g})"

    @property
    def reading(self) -> str:
        """Where the result lies in the printed reference range: "low", "normal" or "high"."""
        assert self.limits is not None
        low, high = self.limits
        return "low" if self.value < low else "high" if self.value > high else "normal"


def read_vitals(facts: Sequence[Fact]) -> dict[str, float]:
    """Vital signs of the case bank, by id; left out are those that stand in the record more than once, and values that
    nobody can have, such as 0."""
    found = list(_known_vitals(facts))
    counts = Counter(vital_id for vital_id, _ in found)
    values = {
        vital_id: float(fact.value)
        for vital_id, fact in found
        if counts[vital_id] == 1
        and isinstance(fact.value, float | int)
        and fact.unit == load_bank().vitals[vital_id].unit
        and not _is_implausible(vital_id, fact)
    }
    shown = {vital_id: value for vital_id, value in values.items() if vital_id in VITAL_PHRASES}
    if "diastolic_bp_mmhg" not in values:
        shown.pop("systolic_bp_mmhg", None)
    return {**shown, **({"diastolic_bp_mmhg": values["diastolic_bp_mmhg"]} if "systolic_bp_mmhg" in shown else {})}


def has_odd_vital(facts: Sequence[Fact]) -> bool:
    """Whether a known vital sign has a value that it cannot have."""
    return any(_is_implausible(vital_id, fact) for vital_id, fact in _known_vitals(facts))


def _known_vitals(facts: Sequence[Fact]) -> Iterator[tuple[str, Fact]]:
    """(id in the case bank, fact) of vital signs that it knows."""
    by_name = {vital.name.lower(): vital_id for vital_id, vital in load_bank().vitals.items()}
    for fact in facts:
        vital_id = by_name.get(fact.name.lower().partition(" (")[0])
        if fact.kind == "vital" and vital_id is not None:
            yield vital_id, fact


def _is_implausible(vital_id: str, fact: Fact) -> bool:
    """In the case bank's unit; of other units nothing is known."""
    vital = load_bank().vitals[vital_id]
    if fact.unit != vital.unit or not isinstance(fact.value, float | int):
        return False
    return not vital.plausible.low <= fact.value <= vital.plausible.high


def read_results(facts: Sequence[Fact], person: Person, *, expecting: bool) -> tuple[Result, ...]:
    """Blood results of the case bank's analytes, in the record's order.

    Args:
        facts: of the record.
        person: decides the reference range that is printed beside a result, where the record gives none.
        expecting: of an expecting mother, for whom other ranges hold: none are printed.
    """
    found = [(_analyte_id(fact), fact) for fact in facts if fact.kind == "lab"]
    counts = Counter(analyte_id for analyte_id, _ in found)
    known = [(analyte_id, fact) for analyte_id, fact in found if analyte_id is not None and counts[analyte_id] == 1]
    results = (_result(analyte_id, fact, person, expecting=expecting) for analyte_id, fact in known)
    return tuple(result for result in results if result is not None)


def has_odd_result(facts: Sequence[Fact]) -> bool:
    """Whether a blood result of a known analyte has a unit or a value that it cannot have."""
    for fact in facts:
        analyte_id = _analyte_id(fact) if fact.kind == "lab" else None
        if analyte_id is None or not isinstance(fact.value, float | int):
            continue
        factor = _factors(analyte_id).get(fact.unit or "")
        if factor is None or value_is_impossible(load_bank().analytes[analyte_id], fact.value * factor):
            return True
    return False


@cache
def _ids_by_name() -> Mapping[str, str]:
    own = {analyte.name.lower(): analyte_id for analyte_id, analyte in load_bank().analytes.items()}
    return own | {name: analyte_id for analyte_id, spelling in spellings().items() for name in spelling.names}


def _label(fact: Fact) -> str:
    return fact.name.rsplit(", ", 1)[-1]


def _analyte_id(fact: Fact) -> str | None:
    return None if _OTHER_SPECIMEN.search(fact.name) else _ids_by_name().get(_label(fact).lower())


def _factors(analyte_id: str) -> dict[str, float]:
    analyte = load_bank().analytes[analyte_id]
    found = {analyte.unit: 1.0}
    if analyte.other_unit is not None and analyte.other_factor is not None:
        found[analyte.other_unit] = 1 / analyte.other_factor
    return found | (spellings()[analyte_id].units if analyte_id in spellings() else {})


def _result(analyte_id: str, fact: Fact, person: Person, *, expecting: bool) -> Result | None:
    text = plain_units(fact.text.removeprefix(fact.name).lstrip(": "))
    measured, factor = measurement(text), _factors(analyte_id).get(fact.unit or "")
    if measured is None or factor is None or not isinstance(fact.value, float | int) or measured.value != fact.value:
        return None
    printed = re.search(NUMBER, text)
    assert printed is not None  # it is a measurement
    decimals = len(printed.group().partition(".")[2])
    limits = _limits(analyte_id, factor, person, expecting=expecting)
    if fact.reference_low is not None or fact.reference_high is not None:
        if fact.reference_low is None or fact.reference_high is None:
            return None
        limits = fact.reference_low, fact.reference_high
    unit = fact.unit or ""
    result = Result(fact.id, analyte_id, _label(fact), float(fact.value), unit, decimals, factor, limits)
    return result if _is_plain(result, measured.remark) else None


def _limits(analyte_id: str, factor: float, person: Person, *, expecting: bool) -> tuple[float, float] | None:
    """The case bank's reference range for this adult, in the record's unit and with its usual precision."""
    if person.age_years < ADULT_AGE_YEARS or expecting:
        return None
    reference = reference_range(load_bank().analytes[analyte_id], person)
    low, high = (float(f"{limit / factor:.3g}") for limit in (reference.low, reference.high))
    return low, high


def _is_plain(result: Result, remark: str) -> bool:
    """Whether the record says nothing more of a result than its reference range or its direction, rightly."""
    remark = _ANY_REFERENCE.sub("", remark).strip()
    if not remark:
        return True
    said = next((name for name, form in _DIRECTIONS.items() if form.fullmatch(remark)), None)
    return said is not None and (result.limits is None or result.reading == said)
