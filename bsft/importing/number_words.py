"""Numbers written as words: "thirty-five-year-old" becomes "35-year-old"."""

from __future__ import annotations

import re

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
