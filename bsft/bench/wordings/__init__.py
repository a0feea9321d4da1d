"""What is said in scenes and replies: loads and checks the YAML beside this file.

Every list of wordings is ordered: the last two are held out and used in the split `test_heldout` only.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bsft.bench.bank.schema import Range
from bsft.bench.store import BadInput, explain
from bsft.records.untrusted import read_yaml

WordingT = TypeVar("WordingT")

N_HELD_OUT = 2
"""How many wordings of a list only `test_heldout` uses."""

Wordings = Annotated[list[str], Field(min_length=5)]
"""At least three for training and two held out."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Comorbidity(_Entry):
    """A chronic illness and a medicine that has no other usual reason."""

    name: str
    drug: str
    ages: Range
    sex: Literal["any", "female", "male"] = "any"
    related: list[str] = []


class Attribute(_Entry):
    """A way of living with two values, each worded once for either speaker."""

    topic: str
    ages: Range
    values: Annotated[list[Annotated[list[str], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)]


class Ambiguity(_Entry):
    """Three listed things of two classes, and an instruction that names a class."""

    topic: str
    min_age_years: float = 0
    classes: Annotated[dict[str, list[str]], Field(min_length=2, max_length=2)]
    context: Wordings
    instruction: Wordings


class Strengths(_Entry):
    """Two supplements, one of them at home in two strengths, and an instruction that names one of them."""

    topic: str
    min_age_years: float = 0
    supplements: Annotated[dict[str, list[str]], Field(min_length=2)]
    context: Wordings
    context_reversed: Wordings
    instruction: Wordings


class Need(_Entry):
    """An announced need (`purpose`) and the entry that answers it under other words."""

    id: str
    topic: str
    min_age_years: float = 0
    max_age_years: float = 130
    purpose: str
    entry: str = ""
    """Text of the entry; laboratory needs are answered by a row of the table instead."""
    answered_by: list[str] = []
    """Other analytes that would answer a laboratory need."""
    avoid: str = ""
    """A word whose presence in the scene would answer the need by another road."""


class Needs(_Entry):
    intake: list[Need]
    exam: list[Need]
    imaging: list[Need]
    lab: list[Need]


class Injuries(_Entry):
    """An old injury of one side, and the form on which that side is marked."""

    min_age_years: float
    joints: Annotated[list[str], Field(min_length=2)]
    injury_line: Wordings
    form_line: Wordings


class Extra(_Entry):
    """A medicine ordered besides, whose contraindications are those of drugs.yaml."""

    drug: str
    order: str
    unless: list[str] = []
    """Conditions and specialties in which it would be a problem of its own."""


class Extras(_Entry):
    min_age_years: float
    medicines: Annotated[list[Extra], Field(min_length=2)]
    order_line: Wordings


class Threads(_Entry):
    comorbidities: list[Comorbidity]
    hazards: dict[str, str]
    hazard_line: Wordings
    extras: Extras
    injuries: Injuries
    stopped_line: Wordings
    denial_line: Wordings
    chart_line: Wordings
    attributes: list[Attribute]
    account_first: Wordings
    account_second: Wordings
    arrival_line: Wordings
    sequence_line: Wordings
    other_side_lines: Wordings
    ambiguities: dict[str, Ambiguity]
    strengths: Strengths
    needs: Needs
    need_line: Wordings
    sheet: Wordings
    archive: Wordings
    plan_line: Wordings
    done_line: Wordings
    meals: list[str]
    tetanus: list[str]
    kin: list[str]


class Errand(_Entry):
    """A request for something other than the problem, with replies from short to long."""

    query: str | None
    replies: Annotated[list[str], Field(min_length=3)]


class Frames(_Entry):
    """Sentences around an answer's content, of several lengths; `held_out` ones are those of `test_heldout` only."""

    trained: Annotated[list[str], Field(min_length=4)]
    held_out: Annotated[list[str], Field(min_length=4)]


class Replies(_Entry):
    errands: Annotated[list[Errand], Field(min_length=5)]
    acknowledgements: Wordings
    openers: Wordings
    claims: dict[str, Annotated[list[str], Field(min_length=3)]]
    resolutions: dict[str, Wordings]
    questions: dict[str, Wordings]
    frames: dict[str, Frames]
    handover: dict[Literal["examination", "allergies", "medicine"], str]
    contacts: Wordings
    contacts_line: Wordings


@dataclass(frozen=True)
class Words:
    """All wordings of the benchmark."""

    dialogue: Mapping[str, Sequence[str]]
    threads: Threads
    replies: Replies


Edition = Literal["train", "test", "heldout"]
"""Which wordings a split may use: `train` none that is held out, `test` held-out phrases of the bank too,
`heldout` held-out wordings only."""


def pick(wordings: Sequence[str], edition: Edition, rng: random.Random) -> str:
    """One of this package's wordings."""
    return rng.choice(allowed(wordings, edition))


def allowed(wordings: Sequence[WordingT], edition: Edition) -> Sequence[WordingT]:
    """The wordings that an edition may use."""
    return wordings[-N_HELD_OUT:] if edition == "heldout" else wordings[:-N_HELD_OUT]


def pick_phrase(phrases: Sequence[str], edition: Edition, rng: random.Random) -> str:
    """One of the bank's phrases, whose last wording is held out for the test splits."""
    if edition == "heldout":
        return phrases[-1]
    return rng.choice(phrases if edition == "test" else phrases[:-1])


WORDINGS = Path(__file__).parent


@cache
def load_words() -> Words:
    """Loads the wordings that ship with the package.

    Raises:
        BadInput: a file is damaged.
    """
    dialogue = _read(WORDINGS / "dialogue.yaml")
    for key, wordings in dialogue.items():
        if not isinstance(wordings, list) or len(wordings) < 5 or not all(isinstance(w, str) for w in wordings):
            raise BadInput(f"{WORDINGS / 'dialogue.yaml'}: field {key}: found {wordings!r}, allowed: 5 or more texts")
    try:
        threads = Threads.model_validate(_read(WORDINGS / "threads.yaml"))
        replies = Replies.model_validate(_read(WORDINGS / "replies.yaml"))
    except ValidationError as error:
        raise BadInput(f"{WORDINGS}: {error.title}: {explain(error)}") from None
    return Words(dialogue, threads, replies)


def _read(file: Path) -> dict[str, list[str]]:
    content: dict[str, list[str]] = read_yaml(file)
    return content
