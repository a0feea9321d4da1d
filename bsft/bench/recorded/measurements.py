"""One measured value from a text such as "10 ng/mL/hr (normal, 0.5-3.3 ng/mL/hr)": value, unit, reference range."""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from bsft.bench.bank.load import read_checked

_SPELLINGS = (
    (re.compile(r"[μµ]"), "µ"),
    (re.compile(r"[‐-―−]"), "-"),
    (re.compile("℃|°\\s*C"), "°C"),
    (re.compile("℉|°\\s*F"), "°F"),
    (re.compile(r"\^?³|(?<=[a-zµ])\^3"), "3"),
    (re.compile(r"\^?²|(?<=[a-zµ])\^2"), "2"),
    (re.compile(r"\bmm\s+Hg\b", re.IGNORECASE), "mmHg"),
    (re.compile(r"\bcm\s+H2O\b", re.IGNORECASE), "cmH2O"),
    (re.compile(r"≤"), "<="),
    (re.compile(r"≥"), ">="),
)


class _Units(BaseModel):
    units: list[str]
    spellings: dict[str, str]
    """Other spelling -> ours."""


_KNOWN = read_checked(Path(__file__).parent / "units.yaml", TypeAdapter(_Units))
_ATOM = "|".join(re.escape(unit) for unit in sorted({*_KNOWN.units, *_KNOWN.spellings}, key=len, reverse=True))
NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
UNIT = rf"(?:[x×*]\s?)?(?:10\^?\d+)?\s?/?\s?(?:{_ATOM})(?:\s?/\s?(?:1\.73\s?)?(?:{_ATOM}))*(?![A-Za-z\d/])"
_QUANTITY = re.compile(
    rf"(?P<bound>[<>]=?)?\s*(?P<value>[-+]?(?:{NUMBER}))(?:\s*(?:-|to)\s*(?P<upper>{NUMBER}))?"
    rf"(?:\s*(?P<unit>{UNIT}))?(?P<remark>.*)",
    re.DOTALL,
)
_GRADE = re.compile(r"(?P<grade>[1-4]\+|\+{1,4}|1:\d+)(?P<remark>\s*\(.*\))?", re.DOTALL)
_REFERENCE = re.compile(
    rf"(?:normal|reference|\bref)\b[^\d<>()]{{0,200}}?(?:(?P<bound>[<>])=?\s*(?P<limit>{NUMBER})"
    rf"|(?P<low>{NUMBER})\s*(?:{UNIT})?\s*(?:-|to)\s*(?P<high>{NUMBER}))",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class Measurement:
    """A value with its unit. Values that are no single number ("12-16", "<40", "4+", "1:320") stay text.

    `remark` is what follows in the source, `low` and `high` the reference range if the source gives one.
    """

    value: float | str
    unit: str | None
    remark: str = ""
    low: float | None = None
    high: float | None = None


def plain_units(text: str) -> str:
    """One spelling for signs and units that have several: µ, °C, mmHg, powers, dashes."""
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return text


def measurement(text: str) -> Measurement | None:
    """The measurement that a text begins with; None if it begins with something else or goes on with more numbers."""
    plain = plain_units(text.strip())
    if match := _GRADE.fullmatch(plain):
        return Measurement(match["grade"], None, (match["remark"] or "").strip())
    match = _QUANTITY.fullmatch(plain)
    if match is None:
        return None
    remark = match["remark"].strip()
    if re.search(r"\d", _IN_BRACKETS.sub("", _REFERENCE.sub("", remark))):
        return None
    if match["unit"] is None and remark and not remark.startswith("("):
        return None
    low, high = reference_range(remark)
    return Measurement(_value(match), unit_spelling(match["unit"]), remark, low, high)


def reference_range(text: str) -> tuple[float | None, float | None]:
    """Limits in "normal range: 2-6%", "ref <5" or "Reference 100 to 250 U/L"; None where there is no such limit."""
    if (match := _REFERENCE.search(plain_units(text))) is None:
        return None, None
    if match["bound"] is not None:
        limit = number(match["limit"])
        return (None, limit) if match["bound"] == "<" else (limit, None)
    return number(match["low"]), number(match["high"])


def number(text: str) -> float:
    """A number with or without thousands separators."""
    return float(text.replace(",", ""))


def unit_spelling(unit: str | None) -> str | None:
    """Our spelling of a unit: "gm / dl" is "g/dL"."""
    if unit is None:
        return None
    parts = plain_units(unit).replace(" ", "").split("/")
    return "/".join(_KNOWN.spellings.get(part, part) for part in parts)


def _value(match: re.Match[str]) -> float | str:
    if match["upper"] is not None:
        return f"{match['bound'] or ''}{match['value']}-{match['upper']}"
    if match["bound"] is not None:
        return f"{match['bound']}{number(match['value']):g}"
    return number(match["value"])
