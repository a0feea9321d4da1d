"""From the nested sections of an OSCE record to facts: what each value is about, and what can be measured in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bsft.bench.recorded.measurements import Measurement, measurement, plain_units, reference_range
from bsft.importing.report import ImportReport, Outcome
from bsft.records.schema import Fact, FactKind

NOTHING_SAID = re.compile(
    r"\W*+(?:n/?a|nan|unknown|(?:data\s+)?not\s+(?:applicable|provided|specified|given|available|indicated|stated|"
    r"done|performed|tested|obtained|recorded|assessed)\b.*|non-?applicable\b.*)?\W*",
    re.IGNORECASE | re.DOTALL,
)
"""Values that say nothing about the patient."""

_KINDS: tuple[tuple[FactKind, re.Pattern[str]], ...] = (
    ("vital", re.compile(r"vital|blood pressure|^(?:heart|respiratory) rate$|^temperature$")),
    (
        "imaging",
        re.compile(r"x-? ?ray|radiog|\bcta?\b|\bmr[ia]\b|ultraso|sonogra|imaging|doppler|mammogra|barium|echocardiog"),
    ),
    (
        "study",
        re.compile(
            r"biops|histolog|patholog report|\be[ck]g\b|electro(?:card|enc|my)|\be[em]g\b|nerve cond|spirom|\bpfts?\b|"
            r"pulmonary func|dlco|polysomno|sleep|actigraph|audio|hearing|scop[yei]|consult|genetic|psycholog|assess|"
            r"screening tool|man(?:o?)euv|vestibular|autonomic|ankle-brachial|tuberculin|neuropsych"
        ),
    ),
    ("order", re.compile(r"intervention|immediate care|suggestion|recommend")),
    ("history", re.compile(r"\bhistory\b")),
)
"""What a section or test is about, by its name; laboratory results are the rest."""

_SELF_EXPLAINING = frozenset({"demographic", "symptom", "medication", "order"})
"""Kinds whose words need no heading."""

_GENERIC = re.compile(r"findings?|levels?|results?|rate|value|report|description", re.IGNORECASE)
_REFERENCE_KEY = re.compile(r"(?:normal|reference)(?:[ _](?:range|values?|interval|limits?))?", re.IGNORECASE)
_VITALS = {
    "temperature": ("temperature_c", "Temperature", "°C"),
    "heart rate": ("heart_rate_bpm", "Heart rate", "beats/min"),
    "pulse": ("heart_rate_bpm", "Heart rate", "beats/min"),
    "pulse rate": ("heart_rate_bpm", "Heart rate", "beats/min"),
    "respiratory rate": ("respiratory_rate_per_min", "Respiratory rate", "breaths/min"),
    "respirations": ("respiratory_rate_per_min", "Respiratory rate", "breaths/min"),
    "oxygen saturation": ("oxygen_saturation_percent", "Oxygen saturation", "%"),
    "pulse oximetry": ("oxygen_saturation_percent", "Oxygen saturation", "%"),
    "so2": ("oxygen_saturation_percent", "Oxygen saturation", "%"),
    "spo2": ("oxygen_saturation_percent", "Oxygen saturation", "%"),
}
"""Name in the source -> the case bank's id, name and unit."""
_RATE_UNITS = {"beats/min": {"bpm", "/min", "beats/min"}, "breaths/min": {"/min", "breaths/min"}, "%": {"%"}}
_BLOOD_PRESSURE = re.compile(r"(?P<systolic>\d{2,3})\s*/\s*(?P<diastolic>\d{2,3})\s*(?:mmHg)?(?P<remark>\D*)")
_TEMPERATURES = re.compile(r"(?P<value>\d{2,3}(?:\.\d+)?)\s*°(?P<scale>[CF])")
MAX_SCALE_DIFFERENCE_C = 0.3
"""Temperatures that are given in both scales and differ by more are reported."""


@dataclass(frozen=True)
class Leaf:
    """One value of a nested record, its path, and the reference range given beside it."""

    path: tuple[str, ...]
    text: str
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """ "Urinalysis, WBC": the path in words, without parts that say nothing such as "Findings"."""
        said = [part for part in self.path if not _GENERIC.fullmatch(part)]
        return ", ".join(said or self.path)

    @property
    def last(self) -> str:
        """The last part of the path that says something."""
        return self.name.rsplit(", ", 1)[-1]


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """All values of nested objects and lists, with underscores in names as spaces."""
    if isinstance(value, dict):
        reference = {key: reference_range(f"normal {value[key]}") for key in value if _REFERENCE_KEY.fullmatch(key)}
        reference = {key: limits for key, limits in reference.items() if limits != (None, None)}
        low, high = next(iter(reference.values()), (None, None))
        for key, inner in value.items():
            if key in reference:
                continue
            for leaf in leaves(inner, (*path, " ".join(key.replace("_", " ").split()))):
                yield leaf if (leaf.low, leaf.high) != (None, None) else replace(leaf, low=low, high=high)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif isinstance(value, bool):
        yield Leaf(path, "yes" if value else "no")
    else:
        yield Leaf(path, "" if value is None else " ".join(str(value).split()))


def kind_of(path: tuple[str, ...], default: FactKind) -> FactKind:
    """What a test result is about: decided by the innermost part of the path that says so."""
    for part in reversed(path):
        for kind, pattern in _KINDS:
            if pattern.search(part.lower()):
                return kind
    return default


class FactList:
    """Collects a case's facts, gives them unique ids and counts what became of each value."""

    def __init__(self, case_id: str, report: ImportReport) -> None:
        self.case_id = case_id
        self.report = report
        self.facts: list[Fact] = []
        self._ids: set[str] = set()

    def add_text(self, kind: FactKind, leaf: Leaf) -> None:
        """A fact that is words."""
        if self._says_something(kind, leaf):
            self._count(kind, leaf, "text")
            text = leaf.text if kind in _SELF_EXPLAINING else f"{leaf.name}: {leaf.text}"
            self._add(kind, leaf.name, leaf.name, text)

    def add_vital(self, leaf: Leaf) -> None:
        """A vital sign: blood pressure as two facts, temperature in °C, others in the case bank's units."""
        if not self._says_something("vital", leaf):
            return
        text, own = plain_units(leaf.text), leaf.last.lower()
        pressure = _BLOOD_PRESSURE.fullmatch(text)
        if pressure is not None and any("blood pressure" in part.lower() for part in leaf.path):
            self._count("vital", leaf, "parsed")
            for side in ("systolic", "diastolic"):
                said = f"{side.capitalize()} blood pressure"
                where = "".join(f" ({part.lower()})" for part in _places(leaf.path))
                shown = f"{said}{where}: {pressure[side]} mmHg{pressure['remark']}"
                self._add(
                    "vital", f"{side}_bp_mmhg", said + where, shown, value=float(pressure[side]), unit="mmHg"
                )  # fmt: skip
            return
        standard = _VITALS.get(own)
        value = self._standard_value(leaf, text, standard[2]) if standard else None
        if standard is not None and value is not None:
            self._count("vital", leaf, "parsed")
            self._add("vital", standard[0], standard[1], f"{standard[1]}: {leaf.text}", value=value, unit=standard[2])
        elif standard is not None or own.startswith("blood pressure"):
            self._count("vital", leaf, _outcome_of_words(leaf.text))
            self._add("vital", leaf.last, leaf.last, f"{leaf.last}: {leaf.text}")
        else:
            self.add_measured("vital", leaf)

    def _standard_value(self, leaf: Leaf, text: str, unit: str) -> float | None:
        if unit == "°C":
            return self._celsius(leaf, text)
        found = measurement(text)
        if found is None or not isinstance(found.value, float):
            return None
        return found.value if found.unit in _RATE_UNITS[unit] else None

    def _celsius(self, leaf: Leaf, text: str) -> float | None:
        first = _TEMPERATURES.match(text)
        if first is None:
            return None
        celsius: dict[str, float] = {}
        for match in _TEMPERATURES.finditer(text):
            value = float(match["value"])
            celsius.setdefault(match["scale"], value if match["scale"] == "C" else round((value - 32) / 1.8, 1))
        if len(celsius) == 2 and abs(celsius["C"] - celsius["F"]) > MAX_SCALE_DIFFERENCE_C:
            self.report.noticed.append(
                f"{self.case_id}: {leaf.name}: found {leaf.text!r}, where °F would be {celsius['F']:g} °C"
            )
        return celsius.get("C", celsius.get("F"))

    def add_measured(self, kind: FactKind, leaf: Leaf) -> None:
        """A result: a number with a unit where there is one, otherwise the words as its value."""
        if not self._says_something(kind, leaf):
            return
        found = measurement(leaf.text)
        if found is not None and kind not in ("lab", "vital") and not _is_only_measured(found):
            found = None
        shown = f"{leaf.name}: {leaf.text}"
        if found is None:
            self._count(kind, leaf, _outcome_of_words(leaf.text) if kind in ("lab", "vital") else "text")
            value = leaf.text if kind == "lab" and not re.search(r"\d", leaf.text) else None
            self._add(kind, leaf.name, leaf.name, shown, value=value)
            return
        self._count(kind, leaf, "parsed")
        low, high = (leaf.low, leaf.high) if found.low is found.high is None else (found.low, found.high)
        self._add(
            kind, leaf.name, leaf.name, shown, value=found.value, unit=found.unit, reference_low=low,
            reference_high=high,
        )  # fmt: skip

    def _says_something(self, kind: FactKind, leaf: Leaf) -> bool:
        if NOTHING_SAID.fullmatch(leaf.text):
            self._count(kind, leaf, "empty")
            return False
        return True

    def _count(self, kind: FactKind, leaf: Leaf, outcome: Outcome) -> None:
        self.report.count(self.case_id, f"{kind}: {leaf.last.lower()}", leaf.text, outcome)

    def _add(self, kind: FactKind, stem: str, name: str, text: str, **more: float | str | None) -> None:
        stem = f"{kind}:{re.sub(r'[^a-z0-9]+', '_', stem.lower()).strip('_')}"
        fact_id, copy = stem, 1
        while fact_id in self._ids:
            copy += 1
            fact_id = f"{stem}:{copy}"
        self._ids.add(fact_id)
        self.facts.append(Fact.model_validate({"id": fact_id, "kind": kind, "name": name, "text": text, **more}))


def _outcome_of_words(text: str) -> Outcome:
    return "unparsed" if re.search(r"\d", text) else "text"


def _is_only_measured(found: Measurement) -> bool:
    """Whether a text is a measurement and not a finding that begins with one ("2.5-cm mass in the right breast")."""
    return not found.remark or found.remark.startswith(("(", "of predicted"))


def _places(path: tuple[str, ...]) -> list[str]:
    """What the parts of a path add to "blood pressure": "sitting", "right upper extremity"."""
    said = [re.sub(r"vital signs?.*|blood pressure", "", part, flags=re.IGNORECASE).strip() for part in path]
    return [part for part in said if part]


def weight_of(leaf: Leaf) -> float | None:
    """Weight in kg, if the leaf is one."""
    found = measurement(leaf.text)
    if leaf.last.lower() not in ("weight", "body weight", "birth weight") or found is None:
        return None
    factor = {"kg": 1.0, "g": 0.001, "lb": 0.4536, "lbs": 0.4536}.get(found.unit or "")
    return None if factor is None or not isinstance(found.value, float) else round(found.value * factor, 3)
