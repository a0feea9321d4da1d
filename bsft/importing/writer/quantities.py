"""Numbers with their units in running text, made comparable: "38.2 C", "three days", "120 over 80", "7.5 x10^9/L".

Numbers are compared in base units, so that "500 mg" is "0.5 g"; a changed digit, unit or pair ("120/80") is not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from pydantic import TypeAdapter

from bsft.bench.bank.load import read_checked
from bsft.bench.recorded.measurements import NUMBER, UNIT, number, plain_units, unit_spelling
from bsft.importing.demographics import digits

_NAME_WITH_NUMBER = re.compile(r"\b[A-Za-z]+(?:-?\d+[A-Za-z\d]*)+\b")
_TIMES_TEN = re.compile(r"x10(?:\d+)?")
_PAIR = re.compile(r"(?<![\d./])(\d{1,3})\s*/\s*(\d{1,3})(?!\d|\.\d|\s*/)")
_QUANTITY = re.compile(rf"(?<![A-Za-z\d.,])(?P<value>{NUMBER})(?:[\s-]*(?P<unit>{UNIT}))?(?![\d])")
_POWER = re.compile(r"[x×*]?(?:10\^?(?P<power>\d+))?(?P<rest>/?.*)")
_TEMPERATURE_TOLERANCE_C = 0.06
_RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class _Units:
    """What `units.yaml` holds."""

    spellings: list[tuple[str, str]]
    prefixes: dict[str, float]
    prefixed: dict[str, str]
    others: dict[str, dict[str, float]]

    @cached_property
    def sizes(self) -> dict[str, tuple[str, float]]:
        """Unit -> dimension and size in base units."""
        others = {unit: (dimension, size) for dimension, units in self.others.items() for unit, size in units.items()}
        prefixed = {p + unit: (name, size) for unit, name in self.prefixed.items() for p, size in self.prefixes.items()}
        return prefixed | others


@cache
def _units() -> _Units:
    return read_checked(Path(__file__).with_name("units.yaml"), TypeAdapter(_Units))


@dataclass(frozen=True)
class Quantity:
    """A number in a text; `dimension` is None for a number without a unit.

    `start` and `end` are its place in `readable(text)`.
    """

    shown: str
    value: float
    dimension: str | None
    base_value: float
    start: int = 0
    end: int = 0

    def equals(self, other: Quantity) -> bool:
        """Whether both say the same; a number without a unit agrees with the same number in any unit."""
        if self.dimension is None or other.dimension is None:
            return math.isclose(self.value, other.value, rel_tol=_RELATIVE_TOLERANCE)
        tolerance = _TEMPERATURE_TOLERANCE_C if self.dimension == "temperature" else 0.0
        return self.dimension == other.dimension and math.isclose(
            self.base_value, other.base_value, rel_tol=0 if tolerance else _RELATIVE_TOLERANCE, abs_tol=tolerance
        )


def readable(text: str) -> str:
    """The text with numbers in digits and units in one spelling."""
    text = plain_units(digits(text))
    for pattern, spelling in _units().spellings:
        text = re.sub(pattern, spelling, text)
    return text


def names_with_numbers(text: str) -> list[str]:
    """Words such as "CA-125", "L5-S1" or "HbA1c", whose digits are not quantities, without units such as "mm3"."""
    return [match[0] for match in _NAME_WITH_NUMBER.finditer(readable(text)) if _is_name(match[0])]


def _is_name(word: str) -> bool:
    return unit_spelling(word) not in _units().sizes and not _TIMES_TEN.fullmatch(word)


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
        found.append(Quantity(match[0].strip(), value, *_in_base_units(value, match["unit"]), *match.span()))
    return found


def quantity(value: float, unit: str | None) -> Quantity:
    """A number with its unit that does not stand in a text."""
    shown = f"{value:g} {unit or ''}".strip()
    return Quantity(shown, value, *_in_base_units(value, readable(unit) if unit else None))


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
        dimension, size = _units().sizes.get(part, (part, 1.0))
        dimensions.append(dimension)
        value = value * size if place == 0 else value / size
    return "/".join(dimensions), value
