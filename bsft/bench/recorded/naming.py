"""Whether a record's text names a diagnosis or an analyte."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bsft.bench.bank.load import load_bank, read_checked

_GENERIC = frozenset({
    "disease", "syndrome", "disorder", "condition", "acute", "chronic", "active", "primary", "secondary", "type",
    "severe", "benign", "malignant", "infection", "injury", "with", "from", "without", "during", "the", "and", "its",
})  # fmt: skip
"""Words that many diagnoses share."""
_COMMON_PARTS = frozenset({
    "serum", "blood", "total", "count", "concentration", "cell", "white", "adjusted", "corrected", "time",
})  # fmt: skip
"""Words that many analytes share."""


class Spelling(BaseModel):
    """Names and units under which other people's records report an analyte of the case bank."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: Annotated[list[str], Field(min_length=1)]
    units: dict[str, float] = {}
    """Unit -> what a value is multiplied by to reach the bank's unit."""


@cache
def spellings() -> Mapping[str, Spelling]:
    """Analyte of the case bank -> its spellings.

    Raises:
        BadInput: the file is damaged.
    """
    return read_checked(Path(__file__).parent / "analytes.yaml", TypeAdapter(dict[str, Spelling]))


def words_of(text: str) -> set[str]:
    """The words of a text in lower case, without possessive endings."""
    return set(re.findall(r"[a-zà-ÿ0-9]+", re.sub(r"['’]s\b", "", text.lower())))


def name_words(name: str) -> set[str]:
    """The words of a diagnosis that tell it from others; all of them if none does."""
    every = words_of(re.sub(r"\([^()]*\)", "", name))
    return {word for word in every if len(word) > 2 and word not in _GENERIC} or every


def names(text: str, diagnosis: str) -> bool:
    """Whether a text names a diagnosis: by all its telling words, or by the abbreviation given with it."""
    spoken = words_of(text)
    abbreviations = {short.lower() for short in re.findall(r"\(([A-Z][A-Za-z0-9]{1,6})\)", diagnosis)}
    return name_words(diagnosis) <= spoken or bool(abbreviations & spoken)


def names_of_analyte(analyte_id: str) -> set[str]:
    """Single words by which a record may speak of an analyte."""
    spelling = spellings().get(analyte_id)
    every = [load_bank().analytes[analyte_id].name, *(spelling.names if spelling is not None else [])]
    return {word for name in every for word in words_of(name) if len(word) > 2} - _COMMON_PARTS
