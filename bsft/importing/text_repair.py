"""Repairs of damaged text: wrong decoding, sentence numbers left in it, and sentences that begin in lower case."""

import re

_NON_ASCII_RUN = re.compile(r"[^\x00-\x7f]+")
_SENTENCE_NUMBER = re.compile(r"(?<=[.?!:)])\s*(\d{1,6})(\s+(?=[\"'A-Z])|\s*$)")
_SENTENCE_START = re.compile(r"(?:^|(?P<last_word>\S{1,40}?)[.?!][\"')]*\s+)(?P<letter>[a-z])(?=(?P<rest>\S*))")
_ABBREVIATION = re.compile(r"\(?(([a-z]\.)*[a-z]|vs|approx|dr|st|fig|lbs?|oz|ft|etc)", re.IGNORECASE)
_NOT_A_WORD = re.compile(r"[a-z]{1,2}[A-Z\d-]")
_STRAIGHT_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})
_MIN_SENTENCE_NUMBERS = 3


def undo_mac_roman(text: str) -> tuple[str, int, int]:
    """Undoes UTF-8 bytes that were decoded as Mac Roman ("37¬∞C" for "37°C").

    Returns:
        The text, how many runs of characters were repaired, and how many replacement characters it still has: what
        they stood for is lost. Runs that are not such damage, like a correct "é", stay as they are.
    """
    repaired = 0

    def repair(match: re.Match[str]) -> str:
        nonlocal repaired
        try:
            original = match.group().encode("mac_roman").decode("utf-8")
        except UnicodeError:
            return match.group()
        repaired += 1
        return original

    text = _NON_ASCII_RUN.sub(repair, text)
    return text, repaired, text.count("\ufffd")


def strip_sentence_numbers(text: str) -> str:
    """Removes running sentence numbers ("... pain. 1 He ... 2 His ..."); other numbers stay."""
    found = [int(match.group(1)) for match in _SENTENCE_NUMBER.finditer(text)]
    if len(found) < _MIN_SENTENCE_NUMBERS or found[0] > 1 or found != list(range(found[0], found[0] + len(found))):
        return text
    return _SENTENCE_NUMBER.sub(" ", text).rstrip()


def plain(text: str) -> str:
    """Straight quotes and single spaces, so that twins typed by different hands do not differ in these."""
    return " ".join(text.translate(_STRAIGHT_QUOTES).split())


def capitalise_sentences(text: str) -> str:
    """Capitalises the first letter of each sentence; names such as "pH" or "p53" and words after "e.g." stay."""

    def capitalise(match: re.Match[str]) -> str:
        if _ABBREVIATION.fullmatch(match["last_word"] or "") or _NOT_A_WORD.match(match["letter"] + match["rest"]):
            return match.group()
        return match.group()[:-1] + match["letter"].upper()

    return _SENTENCE_START.sub(capitalise, text)
