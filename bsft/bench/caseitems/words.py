"""What this package says and knows beyond the case bank: loads and checks the two YAML files beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bsft.bench.store import BadInput, explain
from bsft.records.untrusted import read_yaml

ReadT = TypeVar("ReadT")
Texts = Annotated[list[str], Field(min_length=3)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spelling(_Entry):
    """Names and units under which other people's records report an analyte of the case bank."""

    names: Annotated[list[str], Field(min_length=1)]
    units: dict[str, float] = {}
    """Unit -> what a value is multiplied by to reach the bank's unit."""


class Need(_Entry):
    """An announced need for an entry (`purpose`), and what a reply calls it (`topic`)."""

    topic: str
    purpose: str
    answered_by: list[str] = []
    """Other analytes that would meet it."""


class Errand(_Entry):
    """A request for something other than the problem, with replies from short to long."""

    query: str
    replies: Texts


class CaseWords(_Entry):
    """All wordings of this package."""

    intro: Texts
    symptoms: Texts
    course: Texts
    background: Texts
    label: Texts
    observations: Texts
    laboratory: Texts
    repeat_vital: Texts
    repeat_result: Texts
    arrival: Texts
    need: Texts
    vital_needs: dict[str, Need]
    lab_needs: dict[str, Need]
    vital_words: dict[str, list[str]]
    errands: Annotated[list[Errand], Field(min_length=3)]
    openers: Texts
    closers: Texts
    claims: dict[str, Texts]
    questions: dict[str, Texts]
    frames: dict[str, Texts]


@cache
def case_words() -> CaseWords:
    """The wordings that ship with the package.

    Raises:
        BadInput: the file is damaged.
    """
    return _read("words.yaml", TypeAdapter(CaseWords))


@cache
def spellings() -> dict[str, Spelling]:
    """Analyte of the case bank -> its spellings.

    Raises:
        BadInput: the file is damaged.
    """
    return _read("analytes.yaml", TypeAdapter(dict[str, Spelling]))


def _read(name: str, kind: TypeAdapter[ReadT]) -> ReadT:
    file = Path(__file__).parent / name
    try:
        return kind.validate_python(read_yaml(file))
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
