"""A case opened for the tasks: what of it may be shown, and what is measured in it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.caseitems.readings import (
    ADULT_AGE_YEARS,
    Result,
    has_odd_result,
    has_odd_vital,
    read_results,
    read_vitals,
)
from bsft.bench.caseitems.words import CaseWords, case_words, spellings
from bsft.bench.oracle import value_is_critical
from bsft.bench.person import Person, ago
from bsft.bench.records import Case, Event, Fact, FactKind, Role
from bsft.bench.scene import Slot
from bsft.bench.simulate import VITAL_PHRASES, number

_GENERIC = frozenset({
    "disease", "syndrome", "disorder", "condition", "acute", "chronic", "active", "primary", "secondary", "type",
    "severe", "benign", "malignant", "infection", "injury", "with", "from", "without", "during", "the", "and", "its",
})  # fmt: skip
"""Words that many diagnoses share."""
_COMMON_PARTS = frozenset({
    "serum", "blood", "total", "count", "concentration", "cell", "white", "adjusted", "corrected", "time",
})  # fmt: skip
"""Words that many analytes share."""
_EXPECTING = re.compile(r"pregnan|gravid|gestation|postpartum|trimester", re.IGNORECASE)


class LeftOut(Exception):
    """A case lacks what a task needs; the message says what."""


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


@dataclass(frozen=True)
class Chart:
    """What the tasks know of a case. `seed` and the case's id determine every choice."""

    case: Case
    split: str
    seed: int

    def rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.case.id}/{purpose}")

    @property
    def bank(self) -> Bank:
        return load_bank()

    @property
    def words(self) -> CaseWords:
        return case_words()

    @cached_property
    def person(self) -> Person:
        who = self.case.demographics
        return Person(who.age_years, who.sex, who.weight_kg or 0.0)

    @property
    def is_adult(self) -> bool:
        return self.person.age_years >= ADULT_AGE_YEARS

    @cached_property
    def facts(self) -> list[Fact]:
        """Facts that may be shown: those that do not name the diagnosis."""
        return [fact for fact in self.case.facts if not names(fact.text, self.case.diagnosis)]

    def texts(self, *kinds: FactKind) -> list[str]:
        return [fact.text for fact in self.facts if fact.kind in kinds]

    @cached_property
    def symptoms(self) -> list[str]:
        """Symptoms as the record words them; the first is the presenting complaint."""
        return list(dict.fromkeys(text.rstrip(".") for text in self.texts("symptom")))

    @property
    def complaint(self) -> str:
        """The presenting complaint.

        Raises:
            LeftOut: there is none.
        """
        if not self.symptoms:
            raise LeftOut("no symptom is recorded, other than by the name of the diagnosis")
        return self.symptoms[0]

    @cached_property
    def events(self) -> list[Event]:
        """Events by time, without those that name the diagnosis or share their spoken time with another."""
        told = sorted(self.case.events, key=lambda event: event.time_hours)
        spoken = [ago(-event.time_hours) for event in told]
        return [
            event
            for event, time in zip(told, spoken, strict=True)
            if event.time_hours < 0 and spoken.count(time) == 1 and not names(event.text, self.case.diagnosis)
        ]

    @cached_property
    def vitals(self) -> dict[str, float]:
        return read_vitals(self.facts)

    @cached_property
    def shown_vitals(self) -> list[str]:
        """Vital signs in the order in which they are read out; a blood pressure is one of them."""
        return [vital_id for vital_id in VITAL_PHRASES if vital_id in self.vitals]

    @cached_property
    def results(self) -> tuple[Result, ...]:
        expecting = bool(_EXPECTING.search(" ".join(fact.text for fact in self.case.facts)))
        return read_results(self.facts, self.person, expecting=expecting)

    def vital_text(self, vital_id: str, value: float | None = None, printed: str | None = None) -> str:
        """ "heart rate 72", with another value or another number if one is given."""
        measured = self.vitals[vital_id] if value is None else value
        # never a division by 0, which no vital sign that is read out can be
        diastolic = self.vitals.get("diastolic_bp_mmhg", 0.0) * measured / self.vitals[vital_id]
        shown = number(measured, self.bank.vitals[vital_id].decimals) if printed is None else printed
        return VITAL_PHRASES[vital_id][1].format(value=shown, diastolic=f"{diastolic:.0f}")

    @cached_property
    def quiet_vitals(self) -> list[str]:
        """Vital signs that nothing else in the record speaks of, so that changing one contradicts nothing else."""
        elsewhere = " ".join(fact.text.lower() for fact in self.facts if fact.id not in self.vital_facts)
        return [v for v in self.shown_vitals if not any(word in elsewhere for word in self.words.vital_words[v])]

    @cached_property
    def quiet_results(self) -> list[Result]:
        """Results that nothing else in the record names."""
        return [result for result in self.results if not self.speaks_of(result.analyte_id)]

    def speaks_of(self, analyte_id: str) -> bool:
        """Whether the record names an analyte elsewhere than in a row that was read as a result."""
        return bool(names_of_analyte(analyte_id) & self._other_words)

    @cached_property
    def _other_words(self) -> set[str]:
        rows = {result.fact_id for result in self.results}
        return words_of(" ".join(fact.text for fact in self.facts if fact.id not in rows))

    def check_silence_is_right(self) -> None:
        """Sees to it that a clean scene holds nothing that somebody ought to speak of.

        Raises:
            LeftOut: the record itself has a critical or impossible value, or a unit that a result cannot have.
        """
        entries = [(self.bank.vitals[vital_id], value) for vital_id, value in self.vitals.items()]
        if has_odd_vital(self.case.facts) or has_odd_result(self.case.facts):
            raise LeftOut("the record itself has an impossible value, or a unit unknown for its analyte")
        critical = [value_is_critical(vital, value) for vital, value in entries]
        critical += [value_is_critical(result.analyte, result.bank_value) for result in self.results]
        if self.is_adult and any(critical):
            raise LeftOut("the record itself has a critical value")

    @cached_property
    def clock_minutes(self) -> int:
        """When the sample was taken, in minutes after midnight."""
        return self.rng("clock").randrange(8 * 60, 20 * 60, 5)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Fields that templates may use anywhere."""
        who = {"an_age": self.person.an_age, "noun": self.person.noun, **self.person.words()}
        return {**who, "complaint": self.complaint}

    def slot(self, slot_id: str, wordings: Sequence[str], speaker: tuple[str, Role], **fields: str) -> Slot:
        template = self.rng(f"wording {slot_id}").choice(wordings)
        return Slot(slot_id, speaker[0], speaker[1], template, {**self.fields, **fields})

    @cached_property
    def vital_facts(self) -> set[str]:
        """Ids of the facts that are printed as readings, not in the record's words."""
        ids = {self.bank.vitals[vital_id].name.lower() for vital_id in self.vitals}
        return {fact.id for fact in self.facts if fact.kind == "vital" and fact.name.lower() in ids}


def names_of_analyte(analyte_id: str) -> set[str]:
    """Single words by which a record may speak of an analyte."""
    spelling = spellings().get(analyte_id)
    every = [load_bank().analytes[analyte_id].name, *(spelling.names if spelling is not None else [])]
    return {word for name in every for word in words_of(name) if len(word) > 2} - _COMMON_PARTS
