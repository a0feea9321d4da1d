"""What the tasks know of a case, wherever it comes from: who the patient is, what is said, and every random choice.

Two makers: `bsft.bench.simulated.case`, from a condition of the bank, and `bsft.bench.recorded.case`, from anybody's
record.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import ClassVar

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.person import Person
from bsft.bench.replies import NO_FLAG, OptionWordings
from bsft.bench.scene import Scene, Slot, Speaker, capitalise, fill
from bsft.bench.spoken import VITAL_PHRASES, number
from bsft.bench.wordings import Edition, Errand, Frames, ReplyWords, WordingT, allowed, pick
from bsft.records.schema import Case

OPENING_TURNS = 1
"""What is put into a scene comes after its opening."""


@dataclass(frozen=True)
class Scenario(ABC):
    """A case opened for the tasks.

    `seed` and the case's id determine every choice; `rng(purpose)` gives an independent generator for each purpose.
    """

    case: Case
    split: str
    seed: int

    late_share: ClassVar[float] = 0.0
    """How often a turn that is put into a scene stands at its end; otherwise it stands anywhere after the opening."""

    @property
    @abstractmethod
    def edition(self) -> Edition:
        """Which wordings may be used."""

    @property
    @abstractmethod
    def replies(self) -> ReplyWords:
        """Wordings of questions and replies."""

    @property
    @abstractmethod
    def complaint(self) -> str:
        """The presenting complaint."""

    @property
    @abstractmethod
    def base_scene(self) -> Scene:
        """The scene that all items of the case share, without any problem in it."""

    @abstractmethod
    def vital(self, vital_id: str) -> float:
        """The measured value of a vital sign, in the bank's unit."""

    @abstractmethod
    def diastolic_beside(self, systolic: float) -> float:
        """The diastolic blood pressure that goes with another systolic one than the measured."""

    @abstractmethod
    def unjustified_concern(self, scene: Scene, rng: random.Random) -> OptionWordings:
        """A reply that raises a concern about something that is right in the scene."""

    def rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.case.id}/{purpose}")

    @property
    def bank(self) -> Bank:
        return load_bank()

    @cached_property
    def person(self) -> Person:
        who = self.case.demographics
        return Person(who.age_years, who.sex, who.weight_kg or 0.0)

    @property
    def is_hard(self) -> bool:
        """Whether the case's problems are to be subtle and their evidence far apart."""
        return self.split == "hard"

    @cached_property
    def fields(self) -> dict[str, str]:
        """Fields that templates may use anywhere."""
        who = {"an_age": self.person.an_age, "noun": self.person.noun, **self.person.words()}
        return {**who, "complaint": self.complaint, **self.further_fields()}

    def further_fields(self) -> dict[str, str]:
        """Fields that cases of this origin have besides."""
        return {}

    def allowed(self, wordings: Sequence[WordingT]) -> Sequence[WordingT]:
        return allowed(wordings, self.edition)

    def pick(self, wordings: Sequence[str], rng: random.Random) -> str:
        return pick(wordings, self.edition, rng)

    def slot(self, slot_id: str, wordings: Sequence[str], speaker: Speaker, **fields: str) -> Slot:
        """A turn in one of `wordings`, with this case's common fields and `fields`."""
        template = self.pick(wordings, self.rng(f"wording {slot_id}"))
        return Slot(slot_id, *speaker, template, {**self.fields, **fields})

    def place(self, scene: Scene, rng: random.Random, *slots: Slot, after: str | None = None) -> Scene:
        """Inserts slots, in their order, after the opening or after the slot `after`.

        In the split `hard` they stand as far apart as they can: the first at the opening and the others at the end.
        """
        first = OPENING_TURNS if after is None else scene.index(after) + 1
        for i, slot in enumerate(slots):
            last = len(scene.slots)
            if self.is_hard:
                position = last if i else min(first, last)
            elif self.late_share and rng.random() < self.late_share:
                position = last
            else:
                position = rng.randint(min(first, last), last)
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

    def question(self, task: str, rng: random.Random, **fields: str) -> str:
        """The task's request in one of its wordings."""
        return capitalise(fill(self.pick(self.replies.questions[task], rng), fields))

    def answers(
        self, task: str, contents: Sequence[Mapping[str, str]], labels: Sequence[str] | None = None
    ) -> list[OptionWordings]:
        """Answers in every wording of the task's; without `labels`, the first content is the right one."""
        if labels is None:
            labels = ["correct", *(f"distractor_{i}" for i in range(1, len(contents)))]
        frames = self.replies.frames[task]
        if isinstance(frames, Frames):
            frames = frames.held_out if self.edition == "heldout" else frames.trained
        return [
            OptionWordings(label, False, [capitalise(fill(frame, {**self.fields, **fields})) for frame in frames])
            for label, fields in zip(labels, contents, strict=True)
        ]

    def errand_done(self, errand: Errand) -> OptionWordings:
        """A reply that does what was asked and nothing else."""
        bodies = [capitalise(fill(text, self.fields)) for text in errand.replies]
        starts = self.allowed(self.replies.acknowledgements)
        return OptionWordings(NO_FLAG, False, [start + body for start in starts for body in bodies])

    def concern(self, claim: str, fields: Mapping[str, str], *, label: str | None = None) -> OptionWordings:
        """A reply that raises the concern `claim`, in all its wordings; the claim is its label if none is given."""
        claims = [fill(text, fields) for text in self.replies.claims[claim]]
        return OptionWordings(claim if label is None else label, True, self.spoken_claims(claims))

    def spoken_claims(self, claims: Sequence[str]) -> list[str]:
        """Claims as sentences, with every opener and closer."""
        openers = [fill(opener, self.fields) for opener in self.allowed(self.replies.openers)]
        ends = {claim: "" if claim.endswith(("?", ".")) else "." for claim in claims}
        parts = product(openers, claims, self.replies.closers)
        return [capitalise(f"{opener}{claim}{ends[claim]}{closer}") for opener, claim, closer in parts]
