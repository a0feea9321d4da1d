"""A case simulated from a condition of the bank, opened for the tasks: what of it is shown."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import ClassVar

from bsft.bench.bank.schema import Condition, ExamFinding, Imaging, Medication
from bsft.bench.left_out import LeftOut
from bsft.bench.limits import critical_limits, uncritical
from bsft.bench.oracle import wrong_doses
from bsft.bench.person import ago
from bsft.bench.replies import OptionWordings
from bsft.bench.scenario import Scenario
from bsft.bench.scene import Scene, Speaker, fill
from bsft.bench.simulated.base_scene import make_base_scene
from bsft.bench.simulated.concerns import unjustified_concern
from bsft.bench.simulated.matched_allergens import MatchedAllergens, matched_allergens
from bsft.bench.simulated.simulate import simulate
from bsft.bench.splits import EDITIONS
from bsft.bench.spoken import DISPLAYED_VITALS, number
from bsft.bench.wordings import Edition, Replies, Words, load_words
from bsft.records.schema import Fact

SHOWN_LABS, SHOWN_VITALS, SHOWN_EVENTS = 3, 3, 3

TALKING_AGE_YEARS = 10
"""Younger patients do not tell their own story."""
UNABLE_TO_TELL = re.compile(
    r"unconscious|unrous|unrespons|convuls|seizure|coma\b|confus|disorient|drows|collapse|stupor|rambling|deliri|aphasi"
    r"|slurred|dysarthri|word-finding|speechless|asterixis|incoherent",
    re.IGNORECASE,
)

RELATIVES: Mapping[float, tuple[str, ...]] = {
    18.0: ("Mother", "Father"),
    60.0: ("Partner", "Sister", "Brother"),
    inf: ("Daughter", "Son", "Partner"),
}
"""Age of the patient in years, below which -> who speaks for them."""

SPECIALTY_NAMES = {
    "emergency_medicine": "emergency medicine",
    "infectious_disease": "infectious diseases",
    "obstetrics_gynaecology": "obstetrics and gynaecology",
}


@dataclass(frozen=True)
class SimulatedCase(Scenario):
    """What the tasks know of a simulated case, and of the condition that it was simulated from."""

    condition: Condition

    late_share: ClassVar[float] = 0.25

    @property
    def edition(self) -> Edition:
        return EDITIONS[self.split]

    @property
    def words(self) -> Words:
        return load_words()

    @property
    def replies(self) -> Replies:
        return self.words.replies

    @property
    def matched_allergens(self) -> MatchedAllergens:
        return matched_allergens()

    @cached_property
    def base_scene(self) -> Scene:
        return make_base_scene(self)

    def unjustified_concern(self, scene: Scene, rng: random.Random) -> OptionWordings:
        return unjustified_concern(self, scene, rng)

    @cached_property
    def facts(self) -> dict[str, Fact]:
        """Everything that is true of the case, and what is normal instead of it, by id."""
        return {fact.id: fact for fact in self.case.facts}

    def text(self, fact_id: str) -> str:
        return self.facts[fact_id].text

    def value(self, fact_id: str) -> float:
        """What was measured."""
        value = self.facts[fact_id].value
        assert isinstance(value, float | int)
        return value

    def vital(self, vital_id: str) -> float:
        return self.value(f"vital:{vital_id}")

    def diastolic_beside(self, systolic: float) -> float:
        return self.vital("diastolic_bp_mmhg") / self.vital("systolic_bp_mmhg") * systolic

    @property
    def complaint(self) -> str:
        return self.text("complaint")

    @cached_property
    def home_medicine(self) -> Medication:
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
    def relative(self) -> Speaker:
        """The family member who speaks in this case."""
        relatives = next(names for years, names in RELATIVES.items() if self.person.age_years < years)
        return self.rng("relative").choice(relatives), "family"

    @property
    def teller(self) -> Speaker:
        """Who tells the story."""
        return ("Patient", "patient") if self.speaks_for_self else self.relative

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
    def shown_labs(self) -> tuple[str, ...]:
        """Analytes of the table: one or two characteristic ones, the rest normal, shuffled.

        One of the normal ones has critical limits, if the condition lists such an analyte. Results that are always
        critical in the condition are left out: what is critical and unnoticed is always injected.
        """
        rng = self.rng("labs")
        labs = self.condition.labs
        usable = [a for a in sorted(labs) if uncritical(self.bank.analytes[a], labs[a], self.person) is not None]
        shown = rng.sample(usable, rng.choice((1, 2)))
        normal = rng.sample(sorted(self.condition.normal_labs), len(self.condition.normal_labs))
        normal.sort(key=lambda a: not self._has_limits(a))
        shown.append(normal.pop(0))
        shown += rng.sample(normal, SHOWN_LABS - len(shown))
        rng.shuffle(shown)
        return tuple(shown)

    def _has_limits(self, analyte_id: str) -> bool:
        """Whether laboratories phone critical values of this analyte."""
        analyte = self.bank.analytes[analyte_id]
        return analyte.critical_low is not None or analyte.critical_high is not None

    def row_of(self, analyte_id: str) -> str:
        """Name of the field of the base scene's table that holds this analyte."""
        return f"row{self.shown_labs.index(analyte_id)}"

    def is_measured(self, analyte_id: str) -> bool:
        """Whether the result is a number; "<4" has no decimal point to shift and no value to exchange."""
        value, decimals = self.value(f"lab:{analyte_id}"), self.bank.analytes[analyte_id].decimals
        return f" {number(value, decimals)}" in self.text(f"lab:{analyte_id}")

    @property
    def quiet_labs(self) -> list[str]:
        """Analytes of the table that are normal in the condition, are printed as a number and have critical limits."""
        normal = [a for a in self.shown_labs if a in self.condition.normal_labs]
        return [a for a in normal if self._has_limits(a) and self.is_measured(a)]

    @cached_property
    def shown_vitals(self) -> tuple[str, ...]:
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

    @property
    def quiet_vitals(self) -> list[str]:
        """Vital signs of the scene that the condition leaves alone and that have limits at this age."""
        limits = {vital: critical_limits(self.bank.vitals[vital], self.person) for vital in self.shown_vitals}
        return [v for v in self.shown_vitals if v not in self.condition.vitals and limits[v] != (None, None)]

    @cached_property
    def told_events(self) -> tuple[str, ...]:
        """Ids of the events told, in the order in which they happened; their spoken times differ.

        Raises:
            LeftOut: no three of the events have such times.
        """
        rng = self.rng("events")
        by_id = {event.id: event for event in self.case.events}
        for _ in range(20):
            chosen = sorted(rng.sample(sorted(by_id), SHOWN_EVENTS), key=lambda i: by_id[i].time_hours)
            if len({ago(-by_id[i].time_hours) for i in chosen}) == SHOWN_EVENTS:
                return tuple(chosen)
        raise LeftOut("no three events with distinct times")

    @cached_property
    def order_text(self) -> str:
        return self.text("order:main")

    @property
    def main_drug(self) -> str:
        """The ordered drug, or the home medicine where the order is a procedure."""
        dose = self.condition.first_line.dose
        return self.home_medicine.drug if dose is None else dose.drug

    @property
    def conflict_drug(self) -> str | None:
        """The drug that can be put into conflict with an allergy, if this case's scene shows it."""
        target = self.matched_allergens.targets.get(self.condition.id)
        shown = target is not None and (target.ordered or target.drug == self.home_medicine.drug)
        return target.drug if target is not None and shown else None

    @property
    def doses(self) -> list[tuple[str, Medication]]:
        """Slots with a dose that a wrong factor would make recognisably wrong; the order comes first."""
        order = self.condition.first_line.dose
        found = [("background", self.home_medicine)]
        if order is not None and f"{order.dose:g} {order.unit}" in self.order_text:
            found.insert(0, ("order", order))
        drugs = self.bank.drugs
        return [(slot, m) for slot, m in found if m.drug in drugs and wrong_doses(drugs[m.drug], m)] or found

    @cached_property
    def clock_minutes(self) -> tuple[int, int]:
        """Minutes after midnight of arrival and of the blood sample."""
        rng = self.rng("clock")
        arrival = rng.randrange(7 * 60, 20 * 60, 5)
        return arrival, arrival + rng.randrange(25, 90, 5)

    def further_fields(self) -> dict[str, str]:
        return {
            "age": self.person.age,
            "weight": f"{self.person.weight_kg:g}",
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

    def resolution(self, label: str, fields: Mapping[str, str], rng: random.Random) -> str:
        """Somebody's words that the matter of `label` is known and being dealt with."""
        return fill(self.pick(self.replies.resolutions[label], rng), {**self.fields, **fields})

    def speaker(self, slot_id: str, choices: Iterable[Speaker]) -> Speaker:
        return self.rng(f"speaker {slot_id}").choice(list(choices))


def simulate_case(condition: Condition, *, case_id: str, split: str, seed: int) -> SimulatedCase:
    """Simulates a case of `condition`, and opens it."""
    case = simulate(condition, case_id, EDITIONS[split], random.Random(f"{seed}/{case_id}/simulate"))
    return SimulatedCase(case, split, seed, condition)
