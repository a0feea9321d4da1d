"""A simulated patient: what is true of them and what of it is shown, without a word of what is said."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from bsft.bench.bank.reference_schema import Analyte, Vital
from bsft.bench.bank.schema import Condition, ExamFinding, Imaging, Medication
from bsft.bench.left_out import LeftOut
from bsft.bench.limits import critical_limits, reference_range
from bsft.bench.oracle import NEVER_MISSED, is_unstable, takes_no_tablets, value_is_critical
from bsft.bench.person import ago
from bsft.bench.scenario import Scenario
from bsft.bench.scene import Speaker
from bsft.bench.simulated.fields import spoken_fields
from bsft.bench.splits import EDITIONS
from bsft.bench.spoken import DISPLAYED_VITALS, number
from bsft.bench.wordings import Edition, Words, load_words
from bsft.bench.wordings.problem_data import Applies
from bsft.records.schema import Fact

SHOWN_LABS, SHOWN_VITALS, SHOWN_EVENTS = 3, 3, 3

MRS_AGE_YEARS = 35
"""Younger women are called Ms, as nobody asks here whether they are married."""
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

ALARM_MARGIN = 0.2
"""How far before a critical limit somebody would have spoken already, as a share of its distance from normal."""


@dataclass(frozen=True)
class SimulatedPatient(Scenario):
    """A simulated case and the condition that it was simulated from."""

    condition: Condition

    @property
    def edition(self) -> Edition:
        return EDITIONS[self.split]

    @property
    def words(self) -> Words:
        return load_words()

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

    def plain_complaint(self, name: str | None = None) -> str:
        """A complaint that several conditions share: the named one, or one with which this condition presents."""
        rng, known = self.rng(f"complaint {name}"), self.bank.presentations
        name = name or rng.choice([key for key, entry in known.items() if self.condition.id in entry.conditions])
        return rng.choice(known[name].complaint)

    @cached_property
    def home_medicine(self) -> Medication:
        """The home medicine that the scene shows with its dose."""
        return next(m for m in self.condition.medications if m.drug == self.facts["medication:main"].name)

    @cached_property
    def takes_no_tablets(self) -> bool:
        return takes_no_tablets(self.condition)

    @property
    def tablets_are_held(self) -> bool:
        """Whether the home medicine is a tablet that the patient cannot take now: nothing else is ordered by mouth."""
        by_mouth = "by mouth" in self.condition.first_line.text
        return self.home_medicine.route == "by mouth" and self.takes_no_tablets and not by_mouth

    @property
    def another_route_is_needed(self) -> bool:
        """Whether the home medicine, if a tablet, must not be interrupted."""
        drug = self.bank.drugs.get(self.home_medicine.drug)
        return drug is not None and drug.drug_class in NEVER_MISSED

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
        """The study shown."""
        return self.rng("imaging").choice(self.condition.imaging)

    @cached_property
    def exams(self) -> tuple[ExamFinding, ExamFinding]:
        """The two findings shown: first a discriminating one."""
        rng = self.rng("exams")
        entries = self.condition.exam
        first = rng.choice([e for e in entries if e.discriminating] or entries)
        return first, rng.choice([entry for entry in entries if entry.id != first.id])

    @cached_property
    def shown_labs(self) -> tuple[str, ...]:
        """Analytes of the table: one or two characteristic ones, the rest normal, shuffled.

        One of the normal ones has critical limits, if the condition lists such an analyte.
        """
        rng = self.rng("labs")
        labs = sorted(self.condition.labs)
        shown = rng.sample(labs, min(len(labs), rng.choice((1, 2))))
        normal = rng.sample(sorted(self.condition.normal_labs), len(self.condition.normal_labs))
        normal.sort(key=lambda a: critical_limits(self.bank.analytes[a], self.person) == (None, None))
        shown += normal[: SHOWN_LABS - len(shown)]
        rng.shuffle(shown)
        return tuple(shown)

    def row_of(self, analyte_id: str) -> str:
        """Name of the field of the table that holds this analyte."""
        return f"row{self.shown_labs.index(analyte_id)}"

    def is_measured(self, analyte_id: str) -> bool:
        """Whether the result is a number; "<4" has no decimal point to shift and no value to exchange."""
        value, decimals = self.value(f"lab:{analyte_id}"), self.bank.analytes[analyte_id].decimals
        return f" {number(value, decimals)}" in self.text(f"lab:{analyte_id}")

    @property
    def normal_labs(self) -> list[str]:
        """Analytes of the table that are normal in the condition and printed as a number."""
        return [a for a in self.shown_labs if a in self.condition.normal_labs and self.is_measured(a)]

    def next_test_is_open(self, topics: Collection[str]) -> bool:
        """Whether the next test could still be proposed: none of a scene's topics shows its report."""
        shown = {
            *(self.shown_labs if "laboratory" in topics else ()),
            *([self.imaging.id] if "imaging" in topics else ()),
        }
        return shown.isdisjoint(self.condition.next_test.reported_by)

    @cached_property
    def shown_vitals(self) -> tuple[str, ...]:
        """Vital signs shown; one is normal, where there is one, and one belongs to the illness."""
        rng = self.rng("vitals")
        changed = [v for v in DISPLAYED_VITALS if v in self.condition.vitals]
        normal = [v for v in DISPLAYED_VITALS if v not in self.condition.vitals]
        shown = [*rng.sample(changed, min(1, len(changed))), *rng.sample(normal, min(1, len(normal)))]
        others = [v for v in DISPLAYED_VITALS if v not in shown]
        shown += rng.sample(others, SHOWN_VITALS - len(shown))
        return tuple(sorted(shown, key=DISPLAYED_VITALS.index))

    @property
    def normal_vitals(self) -> list[str]:
        """Vital signs of the scene that the condition leaves alone and that have limits at this age."""
        limits = {vital: critical_limits(self.bank.vitals[vital], self.person) for vital in self.shown_vitals}
        return [v for v in self.shown_vitals if v not in self.condition.vitals and limits[v] != (None, None)]

    def is_alarming(self, value_id: str) -> bool:
        """Whether a shown vital sign or result of the illness itself is beyond its limits, or not far from them."""
        entry: Analyte | Vital = self.bank.vitals.get(value_id) or self.bank.analytes[value_id]
        value = self.vital(value_id) if isinstance(entry, Vital) else self.value(f"lab:{value_id}")
        low, high = critical_limits(entry, self.person)
        reference = reference_range(entry, self.person)
        return value_is_critical(entry, value, (_nearer(low, reference.low), _nearer(high, reference.high)))

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
    def drugs(self) -> tuple[str, ...]:
        """Every drug that the scene may name."""
        return (*self.condition.first_line.drugs, self.home_medicine.drug, self.facts["medication:comorbidity"].name)

    @cached_property
    def illnesses(self) -> str:
        """What the patient has or may have, in lower case; a raised creatinine stands for impaired kidneys."""
        names = [
            self.condition.name,
            *(entry.name for entry in self.condition.history),
            self.text("history:comorbidity"),
        ]
        if "creatinine" in self.condition.labs:
            names.append("severe renal impairment")
        return "; ".join(names).lower()

    @cached_property
    def clock_minutes(self) -> tuple[int, int]:
        """Minutes after midnight of arrival and of the blood sample."""
        rng = self.rng("clock")
        arrival = rng.randrange(7 * 60, 20 * 60, 5)
        return arrival, arrival + rng.randrange(25, 90, 5)

    @cached_property
    def surname(self) -> str:
        return self.rng("name").choice(self.words.conversation.surnames)

    @property
    def title(self) -> str:
        """ "Mrs", "Ms", "Mr", or a child's first name in its place."""
        if self.person.age_years < 16:
            return self.rng("first name").choice(self.words.conversation.first_names[self.person.sex])
        return "Mr" if self.person.sex == "male" else "Ms" if self.person.age_years < MRS_AGE_YEARS else "Mrs"

    def further_fields(self) -> dict[str, str]:
        return spoken_fields(self)

    def allergies_text(self, allergens: Sequence[str]) -> str:
        """ "penicillin (an urticarial rash)"; allergens that are not on record get a reaction of their own."""
        return ", ".join(f"{name} ({self.reaction(name)})" for name in allergens) or "none known"

    def reaction(self, allergen: str) -> str:
        known = self.facts.get(f"allergy:{allergen}")
        if known is not None:
            return known.text.partition(" (")[2].removesuffix(")")
        return self.rng(f"reaction {allergen}").choice(self.bank.allergens[allergen].reactions)

    def suits(self, applies: Applies) -> bool:
        """Whether an entry of the problem data fits the patient and the illness."""
        condition, person = self.condition, self.person
        return (
            applies.ages.low <= person.age_years <= applies.ages.high
            and applies.sex in ("any", person.sex)
            and (applies.specialties == "any" or condition.specialty in applies.specialties)
            and not (applies.stable and is_unstable(condition))
            and not {condition.id, condition.specialty, *condition.labs} & set(applies.unless)
            and not any(word.lower() in self.words_of_case for word in applies.unless)
        )

    @cached_property
    def words_of_case(self) -> str:
        """Illnesses, drugs and plans of the case, in lower case, to look for what speaks against an entry."""
        condition = self.condition
        medicines = (medicine.drug for medicine in condition.medications)
        steps = (step.text for step in condition.guideline_steps)
        findings = [text for entry in condition.exam for text in entry.finding]
        findings += [text for study in condition.imaging for text in study.finding]
        plans = condition.first_line.text, condition.alternative.text
        return "; ".join([self.illnesses, *self.drugs, *medicines, *plans, *steps, *findings]).lower()


def _nearer(limit: float | None, reference: float) -> float | None:
    """A critical limit, moved towards the end of the reference range."""
    return None if limit is None else limit + ALARM_MARGIN * (reference - limit)
