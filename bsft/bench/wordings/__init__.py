"""What is said in scenes and replies: loads and checks the YAML beside this file.

Every list of wordings for simulated cases is ordered: the last two are held out and used in the split `test_heldout`
only. What is said around recorded cases (`recorded.yaml`) holds nothing back.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bsft.bench.bank.schema import Range
from bsft.records.errors import BadInput, explain
from bsft.records.untrusted import read_yaml

WordingT = TypeVar("WordingT")
ReadT = TypeVar("ReadT")

N_HELD_OUT = 2
"""How many wordings of a list only `test_heldout` uses."""

Wordings = Annotated[list[str], Field(min_length=5)]
"""At least three for training and two held out."""

Texts = Annotated[list[str], Field(min_length=3)]


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
    """An announced need (`purpose`), what a reply calls it (`topic`), and the entry that answers it in other words."""

    id: str = ""
    topic: str
    min_age_years: float = 0
    max_age_years: float = 130
    purpose: str
    entry: str = ""
    """Text of the entry; needs of a result or reading are answered by that instead."""
    answered_by: list[str] = []
    """Other analytes that would answer a need of a result."""
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
    replies: Texts


class Frames(_Entry):
    """Sentences around an answer's content, of several lengths; `held_out` ones are those of `test_heldout` only."""

    trained: Annotated[list[str], Field(min_length=4)]
    held_out: Annotated[list[str], Field(min_length=4)]


class ReplyWords(_Entry):
    """What is asked and answered, whatever the case's origin. A concern is an opener, a claim and a closer."""

    errands: Annotated[list[Errand], Field(min_length=3)]
    acknowledgements: list[str] = [""]
    openers: Texts
    closers: list[str] = [""]
    claims: dict[str, Texts]
    questions: dict[str, Texts]
    frames: Mapping[str, Frames | Texts]
    """Task -> sentences around the content of an answer."""


class Replies(ReplyWords):
    """What is asked and answered in simulated cases."""

    errands: Annotated[list[Errand], Field(min_length=5)]
    acknowledgements: Wordings
    openers: Wordings
    resolutions: dict[str, Wordings]
    """Label -> remarks that the matter is known and being dealt with."""
    questions: dict[str, Wordings]
    frames: dict[str, Frames]
    handover: dict[Literal["examination", "allergies", "medicine"], str]
    contacts: Wordings
    contacts_line: Wordings


class RecordWords(ReplyWords):
    """What is said around recorded cases, whose own words follow."""

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
    """Vital sign -> words that speak of it elsewhere in a record."""
    closers: Texts
    frames: dict[str, Texts]


@dataclass(frozen=True)
class Words:
    """All wordings for simulated cases."""

    dialogue: Mapping[str, Sequence[str]]
    threads: Threads
    replies: Replies


Edition = Literal["train", "test", "heldout", "all"]
"""Which wordings may be used: `train` none that is held out, `test` held-out phrases of the bank too, `heldout`
held-out wordings only, `all` every wording of a list that holds nothing back."""


def pick(wordings: Sequence[str], edition: Edition, rng: random.Random) -> str:
    """One of this package's wordings."""
    return rng.choice(allowed(wordings, edition))


def allowed(wordings: Sequence[WordingT], edition: Edition) -> Sequence[WordingT]:
    """The wordings that an edition may use."""
    if edition == "all":
        return wordings
    return wordings[-N_HELD_OUT:] if edition == "heldout" else wordings[:-N_HELD_OUT]


def pick_phrase(phrases: Sequence[str], edition: Edition, rng: random.Random) -> str:
    """One of the bank's phrases, whose last wording is held out for the test splits."""
    if edition == "heldout":
        return phrases[-1]
    return rng.choice(phrases if edition == "test" else phrases[:-1])


WORDINGS = Path(__file__).parent


@cache
def load_words() -> Words:
    """The wordings for simulated cases.

    Raises:
        BadInput: a file is damaged.
    """
    return Words(
        read_words(WORDINGS / "dialogue.yaml", TypeAdapter(dict[str, Wordings])),
        read_words(WORDINGS / "threads.yaml", TypeAdapter(Threads)),
        read_words(WORDINGS / "replies.yaml", TypeAdapter(Replies)),
    )


@cache
def load_record_words() -> RecordWords:
    """The wordings for recorded cases.

    Raises:
        BadInput: the file is damaged.
    """
    return read_words(WORDINGS / "recorded.yaml", TypeAdapter(RecordWords))


def read_words(file: Path, kind: TypeAdapter[ReadT]) -> ReadT:
    """A file that ships with the package, checked.

    Raises:
        BadInput: the file is damaged.
    """
    try:
        return kind.validate_python(read_yaml(file))
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
