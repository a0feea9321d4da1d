"""What is said in scenes and replies, and the data that problems need: loads and checks the YAML beside this file.

Every list of templates (`bsft.bench.grammar`) for simulated cases is ordered: the last two are held out and used in the
split `test_heldout` only. What is said around recorded cases (`recorded.yaml`) holds nothing back.
"""

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bsft.bench.bank.load import read_checked
from bsft.bench.bank.schema import Range
from bsft.bench.grammar import choose
from bsft.bench.wordings.problem_data import Applies, ProblemData

WordingT = TypeVar("WordingT")

Edition = Literal["train", "test", "heldout", "all"]
"""Which wordings may be used: `train` none that is held out, `test` held-out phrases of the bank too, `heldout`
held-out wordings only, `all` every wording of a list that holds nothing back."""

N_HELD_OUT = 2
"""How many templates of a list only `test_heldout` uses."""

Templates = Annotated[list[str], Field(min_length=4)]
"""At least two for training and two held out."""

Texts = Annotated[list[str], Field(min_length=3)]

_FIELD = re.compile(r"\{(\w+)\}")
OPEN_TEST = "open test"
"""What a scene is about, as far as replies are concerned, while the next test can still be proposed."""
_TOPIC_OF = {
    **dict.fromkeys(("test", "Test"), OPEN_TEST),
    **dict.fromkeys(("a", "b", "ta", "tb", "early", "t_early", "late", "t_late"), "story"),
    **dict.fromkeys(("h", "x"), "background"), **dict.fromkeys(("s0", "f0", "s1", "f1", "S0", "F0"), "examination"),
}  # fmt: skip
"""Field of a reply -> the topic under which it is said."""

Act = Mapping[str, list[str]]
"""Voice -> templates; those of `any` are everybody's."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Comorbidity(_Entry):
    """A chronic illness and a medicine that has no other usual reason."""

    name: str
    drug: str
    ages: Range
    sex: Literal["any", "female", "male"] = "any"
    related: list[str] = []
    """Specialties whose cases do not get it, because it could belong to the acute problem."""
    never_missed: bool = False
    """Whether the medicine must not be interrupted, so that nobody gets it who cannot take tablets."""
    harmless: bool = False
    """Whether a mistake about it would harm nobody, so that it is no contradiction worth raising."""


class Conversation(_Entry):
    """What people say to each other: topic -> act -> voice -> templates, and pairs without clinical content."""

    topics: Mapping[str, Mapping[str, Act]]
    pairs: Mapping[str, list[tuple[str, str]]]
    surnames: Annotated[list[str], Field(min_length=100)]
    first_names: Mapping[Literal["female", "male"], list[str]]

    def templates(self, topic: str, act: str, voice: str, edition: Edition) -> Sequence[str]:
        """What a speaker of this voice may say."""
        own = self.topics[topic][act]
        common = allowed(own["any"], edition)
        return common if edition == "heldout" or voice == "any" else [*common, *own.get(voice, ())]


class Request(_Entry):
    """What somebody asks the agent to do, and what it answers; unprompted where `query` is empty."""

    id: str
    needs: list[str] = []
    """Topics that the scene must have had for the question to make sense."""
    query: list[str] | None = None
    reply: Annotated[list[str], Field(min_length=2)]

    def replies(self, topics: Collection[str]) -> list[str]:
        """The replies that tell nothing but what was said under these topics; none where the question is senseless."""
        if not set(self.needs) <= set(topics):
            return []
        return [reply for reply, told in self._told if told <= set(topics)]

    @cached_property
    def _told(self) -> list[tuple[str, set[str]]]:
        """Each reply, and the topics that it speaks of."""
        return [(r, {_TOPIC_OF[field] for field in _FIELD.findall(r) if field in _TOPIC_OF}) for r in self.reply]


class ConcernWords(_Entry):
    """How one concern is raised, and how a clinician says that the matter is in hand."""

    claim: Templates
    handled: Templates


class Times(_Entry):
    """Two speakers on one time: the first says it, the second something that fits (`clean`) or does not (`wrong`)."""

    matter: str
    harm: str
    applies: Applies
    drug: str = ""
    """The drug whose dose it is about, which no allergy of the patient may forbid."""
    said: list[str]
    first: Templates
    second: str
    clean: list[str]
    wrong: list[tuple[str, str]]
    """What the second speaker says, and what a concern calls it."""


class Situations(_Entry):
    """What is said about a problem's two pieces of evidence, beyond the topics of every round."""

    extra_order: Templates
    past_illness: Templates
    two_things: Templates
    class_order: Templates
    step_status: Templates
    step_order: Templates
    earlier_result: Templates
    denial: Templates
    tablets_held: Templates
    tablets_replaced: Templates
    times: list[Times]


class Concerns(_Entry):
    openers: Templates
    labels: Mapping[str, ConcernWords]


class Frames(_Entry):
    """Sentences around an answer's content; `held_out` ones are those of `test_heldout` only."""

    trained: Annotated[list[str], Field(min_length=4)]
    held_out: Annotated[list[str], Field(min_length=4)]


class Questions(_Entry):
    """What the reactive and balanced tasks ask, and the sentences around their answers."""

    questions: Mapping[str, Templates]
    frames: Mapping[str, Frames]
    handover: Mapping[Literal["examination", "allergies", "medicine"], str]
    contacts: Templates
    contacts_line: Templates


class EcgTracing(_Entry):
    """A tracing in sinus rhythm, and how it is read; `quiet`: nobody would have to speak of it."""

    reading: str
    params: dict[str, float | str]
    quiet: bool = False


class XrayFinding(_Entry):
    """A harmless finding with a side, how it is read and what is seen."""

    reading: str
    seen: str


class FigureWords(_Entry):
    """Words for figures, and what any adult may have on them."""

    names: dict[str, str]
    ecg_patterns: dict[str, str]
    shapes: dict[str, list[float]]
    ecg: Annotated[list[EcgTracing], Field(min_length=4)]
    chest_xray: dict[Literal["rib", "nodule", "diaphragm", "plate"], XrayFinding]


class Need(_Entry):
    """An announced need (`purpose`), and what a reply calls it (`topic`)."""

    topic: str
    purpose: str
    answered_by: list[str] = []
    """Other analytes that would answer a need of a result."""


class Errand(_Entry):
    """A request with replies of which one is drawn."""

    query: str
    replies: Texts


class RecordWords(_Entry):
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
    errands: Annotated[list[Errand], Field(min_length=3)]
    openers: Texts
    closers: Texts
    claims: dict[str, Texts]
    questions: dict[str, Texts]
    frames: dict[str, Texts]


@dataclass(frozen=True)
class Words:
    """All wordings for simulated cases."""

    conversation: Conversation
    requests: Sequence[Request]
    concerns: Concerns
    answers: Questions
    problems: ProblemData
    situations: Situations
    figures: FigureWords
    comorbidities: Sequence[Comorbidity]


def allowed(wordings: Sequence[WordingT], edition: Edition) -> Sequence[WordingT]:
    """The wordings that an edition may use."""
    if edition == "all":
        return wordings
    return wordings[-N_HELD_OUT:] if edition == "heldout" else wordings[:-N_HELD_OUT]


def draw(templates: Sequence[str], edition: Edition, rng: random.Random) -> str:
    """One text of one of the templates that an edition may use, its fields not filled."""
    return choose(rng.choice(allowed(templates, edition)), rng)


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
        read_checked(WORDINGS / "conversation.yaml", TypeAdapter(Conversation)),
        read_checked(WORDINGS / "requests.yaml", TypeAdapter(dict[Literal["requests"], list[Request]]))["requests"],
        read_checked(WORDINGS / "concerns.yaml", TypeAdapter(Concerns)),
        read_checked(WORDINGS / "answers.yaml", TypeAdapter(Questions)),
        read_checked(WORDINGS / "problems.yaml", TypeAdapter(ProblemData)),
        read_checked(WORDINGS / "situations.yaml", TypeAdapter(Situations)),
        read_checked(WORDINGS / "figures.yaml", TypeAdapter(FigureWords)),
        read_checked(WORDINGS / "comorbidities.yaml", TypeAdapter(dict[str, list[Comorbidity]]))["comorbidities"],
    )


@cache
def load_record_words() -> RecordWords:
    """The wordings for recorded cases.

    Raises:
        BadInput: the file is damaged.
    """
    return read_checked(WORDINGS / "recorded.yaml", TypeAdapter(RecordWords))
