"""Numbers with their units in running text, made comparable: "38.2 C", "three days", "120 over 80", "7.5 x10^9/L".

Numbers are compared in base units, so that "500 mg" is "0.5 g"; a changed digit, unit or pair ("120/80") is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bsft.bench.recorded.measurements import NUMBER, UNIT, number, plain_units, unit_spelling
from bsft.importing.number_words import digits

_PREFIXES = {"k": 1e3, "": 1.0, "d": 1e-1, "c": 1e-2, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_BASES = {"g": "mass", "L": "volume", "mol": "amount", "m": "length", "IU": "IU", "U": "U", "Eq": "Eq", "Osm": "Osm"}
_UNITS: dict[str, tuple[str, float]] = {
    f"{prefix}{unit}": (base, factor) for unit, base in _BASES.items() for prefix, factor in _PREFIXES.items()
} | {
    "s": ("time", 1.0), "min": ("time", 60.0), "h": ("time", 3600.0), "days": ("time", 86400.0), "ms": ("time", 1e-3),
    "weeks": ("time", 604800.0), "months": ("months", 1.0), "years": ("months", 12.0),
    "mm3": ("volume", 1e-6), "µm3": ("volume", 1e-15), "cm3": ("volume", 1e-3), "m3": ("volume", 1e3),
    "mmHg": ("pressure", 1.0), "kPa": ("pressure", 7.50062), "cmH2O": ("pressure", 0.73556),
    "lb": ("mass", 453.592), "lbs": ("mass", 453.592),
    "oz": ("mass", 28.3495), "in": ("length", 0.0254), "ft": ("length", 0.3048), "mosm": ("Osm", 1e-3),
    "beats": ("count", 1.0), "breaths": ("count", 1.0), "cells": ("count", 1.0), "": ("count", 1.0),
}  # fmt: skip
"""Unit -> dimension and size in base units. Units that are not here count as separate dimensions."""

_WORDS = (
    (re.compile(r"\bper\s?cent\b", re.IGNORECASE), "%"),
    (re.compile(r"\b(?:beats?|bpm)\s*(?:per|a|/)\s*min(?:ute)?\b", re.IGNORECASE), "beats/min"),
    (re.compile(r"\bbreaths?\s*(?:per|a|/)\s*min(?:ute)?\b", re.IGNORECASE), "breaths/min"),
    (re.compile(r"\bbpm\b", re.IGNORECASE), "beats/min"),
    (re.compile(r"\bmillimet(?:re|er)s? of mercury\b", re.IGNORECASE), "mmHg"),
    (re.compile(r"\bmicrograms?\b", re.IGNORECASE), "µg"),
    (re.compile(r"\bmilligrams?\b", re.IGNORECASE), "mg"),
    (re.compile(r"\bkilograms?\b", re.IGNORECASE), "kg"),
    (re.compile(r"\bgrams?\b", re.IGNORECASE), "g"),
    (re.compile(r"\bmillilit(?:re|er)s?\b", re.IGNORECASE), "mL"),
    (re.compile(r"\bdecilit(?:re|er)s?\b", re.IGNORECASE), "dL"),
    (re.compile(r"\blit(?:re|er)s?\b", re.IGNORECASE), "L"),
    (re.compile(r"\bcentimet(?:re|er)s?\b", re.IGNORECASE), "cm"),
    (re.compile(r"\bmillimet(?:re|er)s?\b", re.IGNORECASE), "mm"),
    (re.compile(r"\bmillimoles?\b", re.IGNORECASE), "mmol"),
    (re.compile(r"\b(?:degrees?|deg)\s*(?:celsius|centigrade|C\b)", re.IGNORECASE), "°C"),
    (re.compile(r"\b(?:degrees?|deg)\s*(?:fahrenheit|F\b)", re.IGNORECASE), "°F"),
    (re.compile(r"(?<=\d)\s*(?P<scale>[CF])\b"), r" °\g<scale>"),
    (re.compile(r"(?<=[a-zµL%])\s+per\s+(?=[a-zµLdm])"), "/"),
    (re.compile(r"(?<=\d)\s+over\s+(?=\d)", re.IGNORECASE), "/"),
    (re.compile(r"\btwice\b", re.IGNORECASE), "2 times"),
)
_NAME_WITH_NUMBER = re.compile(r"\b[A-Za-z]+(?:-?\d+[A-Za-z\d]*)+\b")
_TIMES_TEN = re.compile(r"x10(?:\d+)?")
_PAIR = re.compile(r"(?<![\d./])(\d{1,3})\s*/\s*(\d{1,3})(?!\d|\.\d|\s*/)")
_QUANTITY = re.compile(rf"(?<![A-Za-z\d.,])(?P<value>{NUMBER})(?:[\s-]*(?P<unit>{UNIT}))?(?![\d])")
_POWER = re.compile(r"[x×*]?(?:10\^?(?P<power>\d+))?(?P<rest>/?.*)")
_TEMPERATURE_TOLERANCE_C = 0.06
_RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Quantity:
    """A number in a text; `dimension` is None for a number without a unit.

    `start` and `end` are its place in `readable(text)`.
    """

    shown: str
    value: float
    dimension: str | None
    base_value: float
    start: int
    end: int

    def equals(self, other: Quantity) -> bool:
        """Whether both say the same; a number without a unit agrees with the same number in any unit."""
        if self.dimension is None or other.dimension is None:
            return _close(self.value, other.value)
        if self.dimension != other.dimension:
            return False
        if self.dimension == "temperature":
            return abs(self.base_value - other.base_value) <= _TEMPERATURE_TOLERANCE_C
        return _close(self.base_value, other.base_value)


def readable(text: str) -> str:
    """The text with numbers in digits and units in one spelling."""
    text = plain_units(digits(text))
    for pattern, spelling in _WORDS:
        text = pattern.sub(spelling, text)
    return text


def names_with_numbers(text: str) -> list[str]:
    """Words such as "CA-125", "L5-S1" or "HbA1c", whose digits are not quantities, without units such as "mm3"."""
    return [match[0] for match in _NAME_WITH_NUMBER.finditer(readable(text)) if _is_name(match[0])]


def _is_name(word: str) -> bool:
    return unit_spelling(word) not in _UNITS and not _TIMES_TEN.fullmatch(word)


def pairs(text: str) -> list[str]:
    """Pairs such as blood pressures: "120/80"."""
    return [f"{match[1]}/{match[2]}" for match in _PAIR.finditer(readable(text))]


def quantities(text: str) -> list[Quantity]:
    """All numbers of a text in order, the two of a pair each for itself."""
    plain = _PAIR.sub(lambda match: match[0].replace("/", " "), readable(text))
    plain = _NAME_WITH_NUMBER.sub(lambda match: " " * len(match[0]) if _is_name(match[0]) else match[0], plain)
    found = []
    for match in _QUANTITY.finditer(plain):
        value = number(match["value"])
        dimension, base_value = _in_base_units(value, match["unit"])
        found.append(Quantity(match[0].strip(), value, dimension, base_value, match.start(), match.end()))
    return found


def quantity(value: float, unit: str | None) -> Quantity:
    """A number with its unit that does not stand in a text."""
    shown = f"{value:g} {unit or ''}".strip()
    dimension, base_value = _in_base_units(value, readable(unit) if unit else None)
    return Quantity(shown, value, dimension, base_value, 0, 0)


def _in_base_units(value: float, unit: str | None) -> tuple[str | None, float]:
    if not unit:
        return None, value
    match = _POWER.fullmatch(unit_spelling(unit) or "")
    assert match is not None  # every part of the pattern is optional
    value *= 10.0 ** int(match["power"] or 0)
    if match["rest"] in ("°C", "°F"):
        return "temperature", value if match["rest"] == "°C" else (value - 32) / 1.8
    dimensions = []
    for place, part in enumerate(match["rest"].split("/")):
        dimension, factor = _UNITS.get(part, (part, 1.0))
        dimensions.append(dimension)
        value = value * factor if place == 0 else value / factor
    return "/".join(dimensions), value


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= _RELATIVE_TOLERANCE * max(abs(one), abs(other))
