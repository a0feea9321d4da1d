"""Age, sex and weight read from a phrase such as "2-day-old male infant" or "thirty-five-year-old woman, gravida 2"."""

import re
from typing import Literal

_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: n for n, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, start=2)}

_DIGIT = "|".join(_SMALL[1:10])
_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{_DIGIT}))?|{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
_BELOW_1000 = rf"(?:(?:{_DIGIT})\s+hundred(?:\s+(?:and\s+)?{_BELOW_100})?|{_BELOW_100})"
_NUMBER_WORDS = re.compile(rf"\b{_BELOW_1000}(?:\s+thousand(?:\s+(?:and\s+)?{_BELOW_1000})?)?\b", re.IGNORECASE)
_ONE_OF_SOMETHING = re.compile(r"[-\s]+(?:minute|hour|day|week|month|year|per\s?cent|litre|liter|gram)", re.IGNORECASE)

Sex = Literal["female", "male"]

HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": 8766.0}
"""Length of a unit of time, in hours."""

_UNIT = r"(?P<unit>hour|hr|day|week|wk|month|mo|year|yr|y)s?"
_NUMBER = r"(?<![\d.,])(?P<number>\d{1,3}(?:\.\d+)?)"
_AMOUNT = rf"{_NUMBER}[-\s]*{_UNIT}"
_AGE_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_AMOUNT}[-\s./]*(?:old\b|of age\b|o\b)",
        rf"\b(?:aged?|age of)\b[:\s]*{_NUMBER}(?:\s*{_UNIT}\b)?",
        rf"{_AMOUNT}\b(?!['’]?\s*(?:of\s+)?(?:gestation|pregnan|ago\b))",
        r"^\W*(?P<number>\d{1,3})\s*[-,/]?\s*(?:[FM]\b|(?:fe)?male\b|(?:wo)?man\b)",
        r"\b(?:[FM]|(?:fe)?male|(?:wo)?man)\s*[-,/]\s*(?P<number>\d{1,3})\b",
    )
)
"""From the most to the least explicit; the first that is found counts."""

_SHORT_UNITS = {"hr": "hour", "wk": "week", "mo": "month", "yr": "year", "y": "year"}
_NEWBORN = re.compile(r"\b(?:newborn|neonate|neonatal)\b", re.IGNORECASE)
_SINCE_BIRTH = (
    re.compile(rf"\bborn\s+(?:\w+\s+)?{_AMOUNT}\s+ago", re.IGNORECASE),
    re.compile(rf"{_AMOUNT}\s+(?:after|since|post)[-\s]*(?:birth|delivery)", re.IGNORECASE),
)
_FEMALE = re.compile(r"\b(?:female|woman|girl|lady|primigravida?)\b|(?<=\d)\s?F\b|\bF(?=\s*[-,/]\s*\d)", re.IGNORECASE)
_MALE = re.compile(r"\b(?:male|man|boy|gentleman)\b|(?<=\d)\s?M\b|\bM(?=\s*[-,/]\s*\d)", re.IGNORECASE)
_SHE = re.compile(r"\b(?:she|her|hers|herself)\b", re.IGNORECASE)
_HE = re.compile(r"\b(?:he|his|him|himself)\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(?:mother|father|wife|husband|partner|parents?|sister|brother|daughter|son|aunt|uncle|friend|girlfriend|"
    r"boyfriend|grand(?:mother|father))\b",
    re.IGNORECASE,
)
_WEIGHT = re.compile(r"(?<![\d.,])(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)[-\s]?(?P<unit>kg|g|lbs?(?!\W*\d+\W*oz))\b")
_KG = {"kg": 1.0, "g": 0.001, "lb": 0.4536, "lbs": 0.4536}


def age_years(text: str, story: str = "") -> float | None:
    """Age in years, from the phrase or, for a newborn, from the time since birth that the phrase or story gives."""
    forms, where = _AGE_FORMS, digits(text)
    if is_newborn(text) and not any(form.search(where) for form in forms):
        forms, where = _SINCE_BIRTH, f"{where}. {digits(story)}"
    for form in forms:
        if match := form.search(where):
            return in_years(float(match["number"]), (match.groupdict().get("unit") or "year").lower())
    return None


def in_years(number: float, unit: str) -> float:
    """An age in years, to the hour.

    Raises:
        KeyError: the unit is none of `HOURS` or their usual abbreviations.
    """
    return round(number * HOURS[_SHORT_UNITS.get(unit, unit)] / HOURS["year"], 4)


def is_newborn(text: str) -> bool:
    return _NEWBORN.search(text) is not None


def sex_in(text: str) -> Sex | None:
    """The sex that the words of a phrase name; None if they name neither or both."""
    return _either(_FEMALE.search(text) is not None, _MALE.search(text) is not None)


def sex_of_pronouns(story: str) -> Sex | None:
    """The sex of the pronouns in a story about one patient, without the sentences that mention somebody else."""
    own = " ".join(s for s in re.split(r"(?<=[.!?;])\s+", story) if not _RELATIVE.search(s))
    return _either(_SHE.search(own) is not None, _HE.search(own) is not None)


def _either(female: bool, male: bool) -> Sex | None:
    if female == male:
        return None
    return "female" if female else "male"


def weight_kg(text: str) -> float | None:
    """The first weight in g, kg or pounds: "3050-g (6-lb 12-oz) male" gives 3.05."""
    if (match := _WEIGHT.search(text)) is None:
        return None
    return round(float(match["number"].replace(",", "")) * _KG[match["unit"]], 3)


def digits(text: str) -> str:
    """The text with cardinal numbers below a million in digits.

    "one" alone stays, as it is a pronoun more often than a number, unless a unit follows: "one of us", "1 week".
    """

    def in_digits(match: re.Match[str]) -> str:
        if match[0].lower() == "one" and not _ONE_OF_SOMETHING.match(text, match.end()):
            return match[0]
        thousands = below = 0
        for word in re.split(r"[-\s]+", match[0].lower()):
            if word == "thousand":
                thousands, below = below, 0
            elif word == "hundred":
                below *= 100
            elif word != "and":
                below += _VALUES[word]
        return str(1000 * thousands + below)

    return _NUMBER_WORDS.sub(in_digits, text)
