"""What the tasks know of a case, wherever it comes from: who the patient is, what is said, and every random choice.

Two makers: `bsft.bench.simulated.case`, from a condition of the bank, and `bsft.bench.recorded.case`, from anybody's
record.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.grammar import choose, tidy
from bsft.bench.person import Person
from bsft.bench.scene import Fields, Scene, Slot, Speaker, capitalise, fill
from bsft.bench.spoken import VITAL_PHRASES, number
from bsft.bench.wordings import Edition, draw
from bsft.records.schema import Case

OPENING_TURNS = 1
"""What is put into a scene comes after its opening."""


@dataclass(frozen=True)
class Errand:
    """What somebody asks the agent to do (None: nobody asks), and the reply that does it."""

    query: str | None
    reply: str


@dataclass(frozen=True)
class Scenario(ABC):
    """A case opened for the tasks.

    `seed` and the case's id determine every choice; `rng(purpose)` gives an independent generator for each purpose.
    """

    case: Case
    split: str
    seed: int
    level: int
    """1 to 4: how long the scene is, how far apart its evidence, how much else in it is alarming."""

    @property
    @abstractmethod
    def edition(self) -> Edition:
        """Which wordings may be used."""

    @property
    @abstractmethod
    def complaint(self) -> str:
        """The presenting complaint."""

    @abstractmethod
    def vital(self, vital_id: str) -> float:
        """The measured value of a vital sign, in the bank's unit."""

    @abstractmethod
    def diastolic_beside(self, systolic: float) -> float:
        """The diastolic blood pressure that goes with another systolic one than the measured."""

    @abstractmethod
    def errand(self, scene: Scene, rng: random.Random) -> Errand:
        """A request about a scene, with the reply that does what is asked and is true whatever a problem changes."""

    @abstractmethod
    def opener(self, rng: random.Random) -> str:
        """How every concern of an item begins."""

    @abstractmethod
    def claims(self, label: str, fields: Mapping[str, str], rng: random.Random) -> list[str]:
        """Wordings of a concern, without an opener."""

    @abstractmethod
    def unjustified_concern(self, scene: Scene, rng: random.Random) -> str:
        """A concern about something that is right in the scene, without an opener."""

    @abstractmethod
    def question(self, task: str, rng: random.Random, **fields: str) -> str:
        """The task's request in one of its wordings."""

    @abstractmethod
    def frame(self, task: str, rng: random.Random) -> str:
        """The sentence around all answers of an item."""

    def rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.case.id}/{purpose}")

    @property
    def bank(self) -> Bank:
        return load_bank()

    @cached_property
    def person(self) -> Person:
        who = self.case.demographics
        return Person(who.age_years, who.sex, who.weight_kg or 0.0)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Fields that templates may use anywhere."""
        who = {"an_age": self.person.an_age, "noun": self.person.noun, **self.person.words()}
        return {**who, "complaint": self.complaint, **self.further_fields()}

    def further_fields(self) -> dict[str, str]:
        """Fields that cases of this origin have besides."""
        return {}

    def said(self, template: str, **fields: str) -> str:
        """A chosen wording with the case's fields and `fields`."""
        return capitalise(tidy(fill(template, Fields(self.fields, **fields))))

    def slot(self, slot_id: str, templates: Sequence[str], speaker: Speaker, **fields: str) -> Slot:
        """A turn in one of `templates`, with this case's common fields and `fields`."""
        template = draw(templates, self.edition, self.rng(f"wording {slot_id}"))
        return Slot(slot_id, *speaker, template, {**self.fields, **fields})

    def sentence(
        self, slot_id: str, templates: Sequence[str], speaker: Speaker, rng: random.Random, **fields: str
    ) -> Slot:
        """A turn in one of a few templates, none of which is held back."""
        text = choose(rng.choice(templates), rng)
        template = text if text.endswith((".", "?", "!")) else f"{text}."
        return Slot(slot_id, *speaker, template, {**self.fields, **fields})

    def place(self, scene: Scene, rng: random.Random, *slots: Slot, after: str | None = None) -> Scene:
        """Inserts slots, in their order, after the opening or after the slot `after`, never between a question and its
        answer. At level 4 they stand as far apart as they can: the first early and the others at the end."""
        first = scene.index("intro") + OPENING_TURNS if after is None else scene.index(after) + 1
        for i, slot in enumerate(slots):
            places = [p for p in range(first, len(scene.slots) + 1) if scene.may_be_cut_at(p)]
            position = rng.choice(places) if self.level < 4 else places[-1] if i else places[0]
            scene = scene.insert(position, slot)
            first = position + 1
        return scene

    def vital_text(self, vital_id: str, value: float | None = None, printed: str | None = None) -> str:
        """ "heart rate 72", with another value or another number if one is given."""
        measured = self.vital(vital_id) if value is None else value
        shown = number(measured, self.bank.vitals[vital_id].decimals) if printed is None else printed
        diastolic = 0.0
        if vital_id == "systolic_bp_mmhg":
            diastolic = self.vital("diastolic_bp_mmhg") if value is None else self.diastolic_beside(value)
        return VITAL_PHRASES[vital_id][1].format(value=shown, diastolic=f"{diastolic:.0f}")

    def answers(
        self, task: str, contents: Sequence[Mapping[str, str]], rng: random.Random, labels: Sequence[str] | None = None
    ) -> list[tuple[str, str]]:
        """Labelled answers in one frame; without `labels`, the first content is the right one."""
        if labels is None:
            labels = ["correct", *(f"distractor_{i}" for i in range(1, len(contents)))]
        frame = self.frame(task, rng)
        return [(label, self.said(frame, **fields)) for label, fields in zip(labels, contents, strict=True)]
