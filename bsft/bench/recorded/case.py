"""A case that somebody recorded, opened for the tasks: what of it may be shown, and what is measured in it."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bsft.bench.left_out import LeftOut
from bsft.bench.oracle import value_is_critical
from bsft.bench.person import ago
from bsft.bench.recorded.base_scene import make_base_scene
from bsft.bench.recorded.naming import names, names_of_analyte, words_of
from bsft.bench.recorded.readings import (
    ADULT_AGE_YEARS,
    Result,
    has_odd_result,
    has_odd_vital,
    read_results,
    read_vitals,
)
from bsft.bench.scenario import Errand, Scenario
from bsft.bench.scene import Scene
from bsft.bench.spoken import VITAL_PHRASES
from bsft.bench.wordings import Edition, RecordWords, load_record_words
from bsft.records.schema import Event, Fact, FactKind

_EXPECTING = re.compile(r"pregnan|gravid|gestation|postpartum|trimester", re.IGNORECASE)


@dataclass(frozen=True)
class RecordedCase(Scenario):
    """What the tasks know of a case that somebody recorded."""

    @property
    def edition(self) -> Edition:
        return "all"

    @property
    def words(self) -> RecordWords:
        return load_record_words()

    @cached_property
    def base_scene(self) -> Scene:
        """The scene without any problem in it.

        Raises:
            LeftOut: the record has no symptom that does not name the diagnosis.
        """
        return make_base_scene(self)

    def errand(self, scene: Scene, rng: random.Random) -> Errand:
        chosen = rng.choice(self.words.errands)
        return Errand(self.said(chosen.query), self.said(rng.choice(chosen.replies)))

    def opener(self, rng: random.Random) -> str:
        return self.said(rng.choice(self.words.openers)) + " "

    def claims(self, label: str, fields: Mapping[str, str], rng: random.Random) -> list[str]:
        closer = rng.choice(self.words.closers)
        return [self.said(text, **fields) + closer for text in self.words.claims[label]]

    def unjustified_concern(self, scene: Scene, rng: random.Random) -> str:
        """A concern about the chart label, which is right, or about a vital sign that is normal."""
        normal = [vital_id for vital_id in self.shown_vitals if self.is_normal(vital_id)]
        if self.is_adult and normal and rng.random() < 0.5:
            return self.claims("flag_critical_vital", {"vital": VITAL_PHRASES[rng.choice(normal)][0]}, rng)[0]
        return self.claims("flag_identity", {}, rng)[0]

    def question(self, task: str, rng: random.Random, **fields: str) -> str:
        return self.said(rng.choice(self.words.questions[task]), **fields)

    def frame(self, task: str, rng: random.Random) -> str:
        return rng.choice(self.words.frames[task])

    @property
    def is_adult(self) -> bool:
        return self.person.age_years >= ADULT_AGE_YEARS

    @cached_property
    def shown_facts(self) -> list[Fact]:
        """Facts that may be shown: those that do not name the diagnosis."""
        return [fact for fact in self.case.facts if not names(fact.text, self.case.diagnosis)]

    def texts(self, *kinds: FactKind) -> list[str]:
        return [fact.text for fact in self.shown_facts if fact.kind in kinds]

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
    def told_events(self) -> list[Event]:
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
        return read_vitals(self.shown_facts)

    @cached_property
    def shown_vitals(self) -> list[str]:
        """Vital signs in the order in which they are read out; a blood pressure is one of them."""
        return [vital_id for vital_id in VITAL_PHRASES if vital_id in self.vitals]

    @cached_property
    def results(self) -> tuple[Result, ...]:
        expecting = bool(_EXPECTING.search(" ".join(fact.text for fact in self.case.facts)))
        return read_results(self.shown_facts, self.person, expecting=expecting)

    def vital(self, vital_id: str) -> float:
        return self.vitals[vital_id]

    def diastolic_beside(self, systolic: float) -> float:
        return self.vitals["diastolic_bp_mmhg"] * systolic / self.vitals["systolic_bp_mmhg"]

    def is_normal(self, vital_id: str) -> bool:
        """Whether a vital sign lies in the reference range of adults."""
        reference = self.bank.vitals[vital_id].reference
        return reference.low <= self.vitals[vital_id] <= reference.high

    @cached_property
    def quiet_vitals(self) -> list[str]:
        """Vital signs that nothing else in the record speaks of, so that changing one contradicts nothing else."""
        elsewhere = " ".join(fact.text.lower() for fact in self.shown_facts if fact.id not in self.vital_facts)
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
        return words_of(" ".join(fact.text for fact in self.shown_facts if fact.id not in rows))

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
    def vital_facts(self) -> set[str]:
        """Ids of the facts that are printed as readings, not in the record's words."""
        ids = {self.bank.vitals[vital_id].name.lower() for vital_id in self.vitals}
        return {fact.id for fact in self.shown_facts if fact.kind == "vital" and fact.name.lower() in ids}
