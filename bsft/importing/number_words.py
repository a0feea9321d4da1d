"""Numbers written as words: "thirty-five-year-old" becomes "35-year-old"."""

from __future__ import annotations

import re

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_UNIT_WORD = "|".join(word for word, value in _SMALL.items() if 0 < value < 10)
_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{_UNIT_WORD}))?|{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
_BELOW_1000 = rf"(?:(?:{_UNIT_WORD})\s+hundred(?:\s+(?:and\s+)?{_BELOW_100})?|{_BELOW_100})"
_NUMBER_WORDS = re.compile(
    rf"\b(?:(?P<thousands>{_BELOW_1000})\s+thousand(?:\s+(?:and\s+)?(?P<after>{_BELOW_1000}))?|(?P<below>{_BELOW_1000}))\b",
    re.IGNORECASE,
)
_ONE_OF_SOMETHING = re.compile(r"[-\s]+(?:minute|hour|day|week|month|year|per\s?cent|litre|liter|gram)", re.IGNORECASE)


def digits(text: str) -> str:
    """The text with cardinal numbers below a million in digits.

    "one" alone stays, as it is a pronoun more often than a number, unless a unit follows: "one of us", "1 week".
    """

    def in_digits(match: re.Match[str]) -> str:
        if match[0].lower() == "one" and not _ONE_OF_SOMETHING.match(text, match.end()):
            return match[0]
        if match["thousands"] is None:
            return str(_below_1000(match["below"]))
        return str(1000 * _below_1000(match["thousands"]) + _below_1000(match["after"] or "zero"))

    return _NUMBER_WORDS.sub(in_digits, text)


def _below_1000(words: str) -> int:
    value = 0
    for word in re.split(r"[-\s]+", words.casefold()):
        if word == "hundred":
            value *= 100
        elif word != "and":
            value += _TENS.get(word, 0) or _SMALL[word]
    return value
