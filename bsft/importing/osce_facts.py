"""From the nested sections of an OSCE record to facts: what each value is about, and what can be measured in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bsft.bench.bank.load import read_checked
from bsft.bench.recorded.measurements import Measurement, measurement, plain_units, reference_range
from bsft.importing.report import ImportReport, Outcome
from bsft.records.schema import Fact, FactKind

MAX_SCALE_DIFFERENCE_C = 0.3
"""Temperatures that are given in both scales and differ by more are reported."""

_BLOOD_PRESSURE = re.compile(r"(?P<systolic>\d{2,3})\s*/\s*(?P<diastolic>\d{2,3})\s*(?:mmHg)?(?P<remark>\D*)")
_TEMPERATURES = re.compile(r"(?P<value>\d{2,3}(?:\.\d+)?)\s*°(?P<scale>[CF])")

Reading = tuple[Outcome, list[dict[str, Any]]]
"""What became of a value, and the facts it holds: their fields, with what `id` is made of."""


@dataclass(frozen=True)
class Vital:
    """A vital sign of the case bank, its names in the source and units that mean the same."""

    id: str
    name: str
    unit: str
    names: list[str]
    units: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OsceWords:
    """What `osce.yaml` holds."""

    nothing: re.Pattern[str]
    sections: dict[str, FactKind]
    kinds: dict[FactKind, list[re.Pattern[str]]]
    self_explaining: frozenset[FactKind]
    generic: re.Pattern[str]
    reference: re.Pattern[str]
    vitals: list[Vital]


@cache
def osce_words() -> OsceWords:
    return read_checked(Path(__file__).with_name("osce.yaml"), TypeAdapter(OsceWords))


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
        said = [part for part in self.path if not osce_words().generic.fullmatch(part)]
        return ", ".join(said or self.path)

    @property
    def last(self) -> str:
        """The last part of the path that says something."""
        return self.name.rsplit(", ", 1)[-1]


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """All values of nested objects and lists, with underscores in names as spaces."""
    if isinstance(value, dict):
        keys = [key for key in value if osce_words().reference.fullmatch(key)]
        ranges = {key: found for key in keys if (found := reference_range(f"normal {value[key]}")) != (None, None)}
        low, high = next(iter(ranges.values()), (None, None))
        for key, inner in value.items():
            if key in ranges:
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
        for kind, patterns in osce_words().kinds.items():
            if any(pattern.search(part.lower()) for pattern in patterns):
                return kind
    return default


class FactList:
    """Collects a case's facts, gives them unique ids and counts what became of each value."""

    def __init__(self, case_id: str, report: ImportReport) -> None:
        self.case_id = case_id
        self.report = report
        self.facts: list[Fact] = []
        self._ids: set[str] = set()

    def add(self, kind: FactKind, leaf: Leaf) -> None:
        """Reads a value as vital sign, as result of a test or, for all other kinds, as words."""
        if osce_words().nothing.fullmatch(leaf.text):
            outcome, facts = _EMPTY
        elif kind == "vital":
            outcome, facts = self._vital(leaf)
        elif kind in ("lab", "imaging", "study"):
            outcome, facts = _result(kind, leaf)
        else:
            outcome, facts = "text", _said(leaf.name, leaf.text if kind in osce_words().self_explaining else None, leaf)
        self.report.count(self.case_id, f"{kind}: {leaf.last.lower()}", leaf.text, outcome)
        for fields in facts:
            stem = f"{kind}:{re.sub(r'[^a-z0-9]+', '_', fields['id'].lower()).strip('_')}"
            fact_id, copy = stem, 1
            while fact_id in self._ids:
                copy += 1
                fact_id = f"{stem}:{copy}"
            self._ids.add(fact_id)
            self.facts.append(Fact.model_validate({**fields, "id": fact_id, "kind": kind}))

    def _vital(self, leaf: Leaf) -> Reading:
        """A vital sign: blood pressure as two facts, temperature in °C, others in the case bank's units."""
        text, own = plain_units(leaf.text), leaf.last.lower()
        pressure = _BLOOD_PRESSURE.fullmatch(text)
        if pressure is not None and any("blood pressure" in part.lower() for part in leaf.path):
            places = [re.sub(r"vital signs?.*|blood pressure", "", part.lower()).strip() for part in leaf.path]
            where = "".join(f" ({place})" for place in places if place)
            return "parsed", [
                {
                    "id": f"{side}_bp_mmhg", "name": f"{side.capitalize()} blood pressure{where}",
                    "text": f"{side.capitalize()} blood pressure{where}: {pressure[side]} mmHg{pressure['remark']}",
                    "value": float(pressure[side]), "unit": "mmHg",
                }
                for side in ("systolic", "diastolic")
            ]  # fmt: skip
        sign = next((vital for vital in osce_words().vitals if own in vital.names), None)
        if sign is None:
            return _words(leaf) if own.startswith("blood pressure") else _result("vital", leaf)
        found = measurement(text)
        value = found.value if found is not None and found.unit in sign.units else None
        if sign.unit == "°C":
            value = self._celsius(leaf, text)
        if not isinstance(value, float):
            return _words(leaf)
        said = {"name": sign.name, "text": f"{sign.name}: {leaf.text}", "value": value, "unit": sign.unit}
        return "parsed", [{"id": sign.id, **said}]

    def _celsius(self, leaf: Leaf, text: str) -> float | None:
        if _TEMPERATURES.match(text) is None:
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


_EMPTY: Reading = "empty", []


def _said(name: str, text: str | None, leaf: Leaf, **measured: float | str | None) -> list[dict[str, Any]]:
    return [{"id": name, "name": name, "text": text or f"{name}: {leaf.text}", **measured}]


def _words(leaf: Leaf) -> Reading:
    """A vital sign that is not measured as it should be."""
    return _outcome_of_words(leaf.text), _said(leaf.last, None, leaf)


def _result(kind: FactKind, leaf: Leaf) -> Reading:
    """A result: a number with a unit where there is one, otherwise the words as its value."""
    is_value = kind in ("lab", "vital")
    found = measurement(leaf.text)
    if found is not None and (is_value or _is_only_measured(found)):
        low, high = (leaf.low, leaf.high) if found.low is found.high is None else (found.low, found.high)
        measured = {"value": found.value, "unit": found.unit, "reference_low": low, "reference_high": high}
        return "parsed", _said(leaf.name, None, leaf, **measured)
    outcome = _outcome_of_words(leaf.text) if is_value else "text"
    return outcome, _said(leaf.name, None, leaf, value=leaf.text if kind == "lab" and outcome == "text" else None)


def _outcome_of_words(text: str) -> Outcome:
    return "unparsed" if re.search(r"\d", text) else "text"


def _is_only_measured(found: Measurement) -> bool:
    """Whether a text is a measurement and not a finding that begins with one ("2.5-cm mass in the right breast")."""
    return not found.remark or found.remark.startswith(("(", "of predicted"))
