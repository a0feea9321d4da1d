"""A simulated case opened for the tasks: its person, its choices and the base scene that all its items share."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bsft.bench.bank.load import Bank
from bsft.bench.bank.schema import Condition, ExamFinding, Imaging, Medication
from bsft.bench.foils import Foils
from bsft.bench.layouts import LAYOUTS, SPEAKERS, SPECIALTY_NAMES, TALKING_AGE_YEARS, UNABLE_TO_TELL
from bsft.bench.person import Person, ago
from bsft.bench.records import Case, Fact, Role
from bsft.bench.scene import Scene, Slot, fill
from bsft.bench.simulate import DISPLAYED_VITALS, VITAL_PHRASES, Simulator, number, uncritical
from bsft.bench.wordings import Edition, Words, pick

SHOWN_LABS, SHOWN_VITALS, SHOWN_EVENTS = 3, 3, 3


@dataclass(frozen=True)
class CaseFile:
    """What the tasks know of a case.

    `seed` and the case's id determine every choice; `rng(purpose)` gives an independent generator for each purpose.
    """

    case: Case
    condition: Condition
    person: Person
    bank: Bank
    words: Words
    foils: Foils
    edition: Edition
    split: str
    seed: int

    def rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.case.id}/{purpose}")

    @cached_property
    def facts(self) -> dict[str, Fact]:
        return {fact.id: fact for fact in self.case.facts}

    def text(self, fact_id: str) -> str:
        return self.facts[fact_id].text

    @property
    def is_hard(self) -> bool:
        """Whether the case's problems are to be subtle and their evidence far apart."""
        return self.split == "hard"

    @cached_property
    def home(self) -> Medication:
        """The home medicine that the base scene shows with its dose."""
        return next(m for m in self.condition.medications if m.drug == self.facts["medication:main"].name)

    @cached_property
    def allergens(self) -> tuple[str, ...]:
        """Allergens on record."""
        return tuple(fact.name for fact in self.case.facts if fact.kind == "allergy")

    @cached_property
    def side(self) -> str:
        return self.text("side")

    @property
    def other_side(self) -> str:
        return "left" if self.side == "right" else "right"

    @cached_property
    def is_lateral(self) -> bool:
        """Whether the base scene's examination or imaging says which side is affected."""
        return any(all("{side}" in text for text in entry.finding) for entry in (*self.exams, self.imaging))

    @cached_property
    def speaks_for_self(self) -> bool:
        """Whether the patient can tell the story: old enough, awake and clear."""
        state = [*self.condition.complaint, *(text for entry in self.condition.exam for text in entry.finding)]
        return self.person.age_years >= TALKING_AGE_YEARS and not UNABLE_TO_TELL.search(" ".join(state))

    @cached_property
    def relative(self) -> tuple[str, Role]:
        """The family member who speaks in this case."""
        if self.person.age_years < 18:
            return self.rng("relative").choice(("Mother", "Father")), "family"
        if self.person.age_years < 60:
            return self.rng("relative").choice(("Partner", "Sister", "Brother")), "family"
        return self.rng("relative").choice(("Daughter", "Son", "Partner")), "family"

    @cached_property
    def imaging(self) -> Imaging:
        """The study shown in the base scene; one that confirms an examination finding is preferred."""
        confirming = [study for study in self.condition.imaging if study.confirms_exam is not None]
        return self.rng("imaging").choice(confirming or self.condition.imaging)

    @cached_property
    def exams(self) -> tuple[ExamFinding, ExamFinding]:
        """The two findings shown: first the one that the imaging confirms, or a discriminating one."""
        rng = self.rng("exams")
        entries = self.condition.exam
        confirmed = [entry for entry in entries if entry.id == self.imaging.confirms_exam]
        first = rng.choice(confirmed or [e for e in entries if e.discriminating] or entries)
        return first, rng.choice([entry for entry in entries if entry.id != first.id])

    @cached_property
    def labs(self) -> tuple[str, ...]:
        """Analytes of the table: one or two characteristic ones, the rest normal, shuffled.

        One of the normal ones has critical limits, if the condition lists such an analyte. Results that are always
        critical in the condition are left out: what is critical and unnoticed is always injected.
        """
        rng = self.rng("labs")
        labs = self.condition.labs
        usable = [a for a in sorted(labs) if uncritical(self.bank.analytes[a], labs[a], self.person) is not None]
        shown = rng.sample(usable, rng.choice((1, 2)))
        normal = rng.sample(sorted(self.condition.normal_labs), len(self.condition.normal_labs))
        normal.sort(key=lambda a: not self.has_limits(a))
        shown.append(normal.pop(0))
        shown += rng.sample(normal, SHOWN_LABS - len(shown))
        rng.shuffle(shown)
        return tuple(shown)

    def has_limits(self, analyte_id: str) -> bool:
        """Whether laboratories phone critical values of this analyte."""
        analyte = self.bank.analytes[analyte_id]
        return analyte.critical_low is not None or analyte.critical_high is not None

    @cached_property
    def vitals(self) -> tuple[str, ...]:
        """Vital signs shown, none that is always critical in the condition; one is normal, where there is one."""
        rng = self.rng("vitals")
        changed = self.condition.vitals
        normal = [v for v in DISPLAYED_VITALS if v not in changed]
        critical = [v for v in changed if uncritical(self.bank.vitals[v], changed[v], self.person) is None]
        usable = [v for v in DISPLAYED_VITALS if v not in critical]
        shown = rng.sample(usable, min(SHOWN_VITALS, len(usable)))
        if normal and not set(normal) & set(shown):
            shown[rng.randrange(len(shown))] = rng.choice(normal)
        return tuple(sorted(shown, key=DISPLAYED_VITALS.index))

    @cached_property
    def events(self) -> tuple[str, ...]:
        """Ids of the events told, in the order in which they happened; their spoken times differ."""
        rng = self.rng("events")
        by_id = {event.id: event for event in self.case.events}
        for _ in range(20):
            chosen = sorted(rng.sample(sorted(by_id), SHOWN_EVENTS), key=lambda i: by_id[i].time_hours)
            if len({ago(-by_id[i].time_hours) for i in chosen}) == SHOWN_EVENTS:
                return tuple(chosen)
        raise AssertionError(f"{self.condition.id}: no three events with distinct times")

    @cached_property
    def order_text(self) -> str:
        return self.text("order:main")

    @cached_property
    def clock_minutes(self) -> tuple[int, int]:
        """Minutes after midnight of arrival and of the blood sample."""
        rng = self.rng("clock")
        arrival = rng.randrange(7 * 60, 20 * 60, 5)
        return arrival, arrival + rng.randrange(25, 90, 5)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Fields that templates may use anywhere."""
        return {
            **self.person.words(),
            "an_age": self.person.an_age,
            "noun": self.person.noun,
            "age": self.person.age,
            "weight": f"{self.person.weight_kg:g}",
            "complaint": self.text("complaint"),
            "specialty": SPECIALTY_NAMES.get(self.condition.specialty, self.condition.specialty),
            "allergies": self.allergies_text(self.allergens),
            "h": self.text("history:main"),
            "x": self.text("history:comorbidity"),
            "m": self.text("medication:main"),
            "mx": self.text("medication:comorbidity"),
            "side": self.side,
            "other_side": self.other_side,
        }

    def allergies_text(self, allergens: Sequence[str]) -> str:
        """ "penicillin (an urticarial rash)"; allergens that are not on record get a reaction of their own."""
        if not allergens:
            return "none known"
        return ", ".join(
            self.text(f"allergy:{name}")
            if f"allergy:{name}" in self.facts
            else f"{name} ({self.rng(f'reaction {name}').choice(self.bank.allergens[name].reactions)})"
            for name in allergens
        )

    def slot(self, slot_id: str, wordings: Sequence[str], speaker: tuple[str, Role], **fields: str) -> Slot:
        """A slot with one of `wordings`, with this case's common fields and `fields`."""
        template = pick(wordings, self.edition, self.rng(f"wording {slot_id}"))
        return Slot(slot_id, speaker[0], speaker[1], template, {**self.fields, **fields})

    def remark(self, label: str, fields: Mapping[str, str], rng: random.Random) -> str:
        """Somebody's words that the matter of `label` is known and being dealt with."""
        return fill(pick(self.words.replies.resolutions[label], self.edition, rng), {**self.fields, **fields})

    def speaker(self, slot_id: str, choices: Iterable[tuple[str, Role]]) -> tuple[str, Role]:
        return self.rng(f"speaker {slot_id}").choice(list(choices))

    @cached_property
    def core(self) -> Scene:
        """The base scene, without any problem in it."""
        slots = {slot_id: self._core_slot(slot_id) for slot_id in LAYOUTS[0]}
        layout = self.rng("layout").choice(LAYOUTS)
        return Scene(tuple(slots[slot_id] for slot_id in layout))

    def _core_slot(self, slot_id: str) -> Slot:
        dialogue = self.words.dialogue
        if slot_id == "story":
            key, speaker = ("story_patient", ("Patient", "patient")) if self.speaks_for_self else (
                "story_relative", self.relative
            )  # fmt: skip
            return self.slot("story", dialogue[key], speaker, **self._story_fields())  # type: ignore[arg-type]
        speaker = self.speaker(slot_id, SPEAKERS[slot_id])
        if slot_id == "observations":
            slot = self.slot(slot_id, dialogue[slot_id], speaker, **self._vital_fields())
            shown = ", ".join(f"{{v{i}}}" for i in range(len(self.vitals)))
            slot = replace(slot, template=slot.template.replace("{vitals}", shown))
            if not self.is_lateral:
                return slot
            # The unaffected side is named as well, so that naming both sides says nothing.
            line = pick(dialogue["cannula"], self.edition, self.rng("wording cannula"))
            return Slot(slot.id, slot.speaker, slot.role, f"{slot.template} {line}", slot.fields)
        if slot_id == "laboratory":
            head = self.slot(slot_id, dialogue[slot_id], speaker)
            rows = {f"row{i}": self.text(f"lab:{analyte}") for i, analyte in enumerate(self.labs)}
            template = "\n".join([head.template, *(f"{{{row}}}" for row in rows)])
            fields = {**head.fields, **rows, "clock": clock(self.clock_minutes[1])}
            return Slot(slot_id, head.speaker, head.role, template, fields)
        return self.slot(slot_id, dialogue[slot_id], speaker, **self._plain_fields(slot_id))

    def _plain_fields(self, slot_id: str) -> dict[str, str]:
        if slot_id == "examination":
            first, second = self.exams
            fields: dict[str, str] = {}
            order = [first, second] if self.rng("exam order").random() < 0.5 else [second, first]
            for i, entry in enumerate(order):
                fields |= {f"s{i}": entry.site, f"f{i}": self.text(f"exam:{entry.id}")}
            return fields
        if slot_id == "imaging":
            return {"study": self.imaging.study, "finding": self.text(f"imaging:{self.imaging.id}")}
        if slot_id == "order":
            return {"order": self.order_text}
        return {}

    def _story_fields(self) -> dict[str, str]:
        told = list(self.events)
        self.rng("telling").shuffle(told)
        fields: dict[str, str] = {}
        for letter, event_id in zip("abc", told, strict=True):
            fact = self.facts[event_id]
            fields |= {letter: fact.text, f"t{letter}": ago(-fact.time_hours)}
        return fields

    def _vital_fields(self) -> dict[str, str]:
        return {f"v{i}": self.vital_text(vital) for i, vital in enumerate(self.vitals)}

    def vital_text(self, vital_id: str, value: float | None = None) -> str:
        """The spoken form of a vital sign, with another value if one is given."""
        measured = self.facts[f"vital:{vital_id}"].value if value is None else value
        assert isinstance(measured, float | int)
        diastolic = self.facts["vital:diastolic_bp_mmhg"].value
        assert isinstance(diastolic, float | int)
        if value is not None:
            systolic = self.facts["vital:systolic_bp_mmhg"].value
            assert isinstance(systolic, float | int)
            diastolic = diastolic / systolic * value
        return VITAL_PHRASES[vital_id][1].format(
            value=number(measured, self.bank.vitals[vital_id].decimals), diastolic=f"{diastolic:.0f}"
        )


def clock(minutes: int) -> str:
    """Minutes after midnight as "09:40"."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def open_case(
    bank: Bank, words: Words, foils: Foils, condition: Condition, *, case_id: str, edition: Edition, split: str,
    seed: int,
) -> CaseFile:  # fmt: skip
    """Simulates a case and opens it."""
    rng = random.Random(f"{seed}/{case_id}/simulate")
    case = Simulator(bank, words, foils).case(condition, case_id, edition, rng)
    person = Person(case.demographics.age_years, case.demographics.sex, case.demographics.weight_kg or 0.0)
    return CaseFile(case, condition, person, bank, words, foils, edition, split, seed)
