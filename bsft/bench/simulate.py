"""From a condition of the bank and a random generator to one patient's case.

One latent severity in [0, 1] moves the characteristic vital signs and laboratory results together; the side is chosen
once; everything that is drawn is recorded as a fact with its id, so that scenes and oracles speak of the same things.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bsft.bench.bank.load import Bank
from bsft.bench.bank.schema import Analyte, Condition, Medication, Range, Vital
from bsft.bench.foils import Foils
from bsft.bench.person import Person
from bsft.bench.records import Case, Demographics, DifferentialDiagnosis, Event, Fact, ImageSpec
from bsft.bench.wordings import Comorbidity, Edition, Words, pick_phrase

DISPLAYED_VITALS = (
    "heart_rate_bpm", "systolic_bp_mmhg", "temperature_c", "oxygen_saturation_percent", "respiratory_rate_per_min",
)  # fmt: skip
VITAL_PHRASES = {
    "heart_rate_bpm": ("heart rate", "heart rate {value}"),
    "systolic_bp_mmhg": ("blood pressure", "blood pressure {value}/{diastolic}"),
    "temperature_c": ("temperature", "temperature {value}"),
    "oxygen_saturation_percent": ("oxygen saturation", "oxygen saturation {value}%"),
    "respiratory_rate_per_min": ("respiratory rate", "respiratory rate {value}"),
}
"""Name and spoken form of the vital signs that scenes show."""

MIN_UNCRITICAL_STEPS = 3
"""A characteristic range of fewer printed values outside the critical ones would pin the value to the limit."""

TOGETHER = {"neutrophils": "white_cells", "haematocrit": "haemoglobin", "diastolic_bp_mmhg": "systolic_bp_mmhg"}
"""Results that move with another one: both are drawn with the same noise."""


def reference_range(entry: Analyte | Vital, person: Person) -> Range:
    """The reference range for this patient's age and sex."""
    if person.is_child and entry.reference_child is not None:
        return entry.reference_child
    if isinstance(entry, Vital):
        return entry.reference
    by_sex = entry.reference_female if person.sex == "female" else entry.reference_male
    chosen = by_sex or entry.reference
    assert chosen is not None  # the schema demands one of them
    return chosen


def critical_limits(entry: Analyte | Vital, person: Person) -> tuple[float | None, float | None]:
    """The limits beyond which a value calls for action at once, for this patient's age."""
    if isinstance(entry, Vital) and person.is_child and entry.reference_child is not None:
        return entry.critical_low_child, entry.critical_high_child
    return entry.critical_low, entry.critical_high


def uncritical(entry: Analyte | Vital, values: Range, person: Person) -> Range | None:
    """The part of a characteristic range that is not critical; None where hardly anything of it is left."""
    step = 10.0**-entry.decimals
    low, high = critical_limits(entry, person)
    first = values.low if low is None else max(values.low, low + step)
    last = values.high if high is None else min(values.high, high - step)
    return Range(low=first, high=last) if last - first >= MIN_UNCRITICAL_STEPS * step else None


def number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def dose_text(medication: Medication) -> str:
    """ "metformin 500 mg twice daily"."""
    return f"{medication.drug} {medication.dose:g} {medication.unit} {medication.frequency}"


@dataclass(frozen=True)
class Simulator:
    """Draws cases from the bank. `edition` decides which wordings of the bank's phrases may be used."""

    bank: Bank
    words: Words
    foils: Foils

    def case(self, condition: Condition, case_id: str, edition: Edition, rng: random.Random) -> Case:
        """One case of `condition`.

        Args:
            condition: what the patient has.
            case_id: becomes the case's id.
            edition: which wordings may be used.
            rng: the only source of chance.
        """
        person = draw_person(condition, rng)
        side = rng.choice(("left", "right"))
        severity = rng.betavariate(2, 2)

        def phrase(phrases: Sequence[str]) -> str:
            return pick_phrase(phrases, edition, rng).replace("{side}", side)

        facts = [Fact(id="side", kind="demographic", name="side", text=side)]
        facts.append(Fact(id="complaint", kind="symptom", name="complaint", text=phrase(condition.complaint)))
        events = []
        for course in condition.course:
            hours = rng.uniform(course.hours_before.low, course.hours_before.high)
            events.append(Event(id=f"course:{course.id}", text=phrase(course.phrases), time_hours=-hours))
            facts.append(_fact(events[-1].id, "symptom", course.id, events[-1].text, time_hours=-hours))
        home = rng.choices(condition.medications, self.foils.home_weights(condition))[0]
        facts += _background(condition, home, self._comorbidities(condition, person, rng), rng)
        for allergen in self.foils.draw_allergens(condition, home.drug, rng):
            reaction = rng.choice(self.bank.allergens[allergen].reactions)
            facts.append(_fact(f"allergy:{allergen}", "allergy", allergen, f"{allergen} ({reaction})"))
        for finding in condition.exam:
            facts.append(_fact(f"exam:{finding.id}", "exam", finding.site, phrase(finding.finding)))
            facts.append(_fact(f"exam_normal:{finding.id}", "exam", finding.site, phrase(finding.normal)))
        facts += self._vitals(condition, person, severity, rng)
        facts += self._labs(condition, person, severity, rng)
        for study in condition.imaging:
            facts.append(_fact(f"imaging:{study.id}", "imaging", study.study, phrase(study.finding), time_hours=1.0))
            facts.append(
                _fact(f"imaging_normal:{study.id}", "imaging", study.study, phrase(study.normal), time_hours=1.0)
            )
        order = condition.first_line
        facts.append(_fact("order:main", "order", ", ".join(order.drugs) or "procedure", order.text, time_hours=2.0))
        images = []
        if condition.figure is not None:
            figure = condition.figure
            images.append(ImageSpec(kind=figure.kind, params=figure.params, alt=phrase(figure.reading)))
        return Case(
            id=case_id,
            source="bsft case bank",
            licence="Apache-2.0",
            specialty=condition.specialty,
            demographics=Demographics(age_years=round(person.age_years, 2), sex=person.sex, weight_kg=person.weight_kg),
            facts=facts,
            events=events,
            images=images,
            diagnosis=condition.name,
            differential=[
                DifferentialDiagnosis(name=d.name, evidence_for=[d.shared], evidence_against=[d.against])
                for d in condition.differentials
            ],
            management=[condition.first_line.text],
            guideline_steps=[step.text for step in condition.guideline_steps],
        )

    def _comorbidities(self, condition: Condition, person: Person, rng: random.Random) -> tuple[Comorbidity, ...]:
        """Two chronic illnesses apart from the acute problem: one that the patient has and one that they have not."""
        mentioned = " ".join([condition.name, *(h.name for h in condition.history), *(condition.complaint)]).lower()
        used = {m.drug for m in condition.medications} | {*condition.first_line.drugs, *condition.alternative.drugs}
        fitting = [
            entry
            for entry in self.words.threads.comorbidities
            if entry.ages.low <= person.age_years <= entry.ages.high
            and entry.sex in ("any", person.sex)
            and condition.specialty not in entry.related
            and entry.drug.split()[0] not in used
            and not any(word in mentioned for word in entry.name.lower().split() if len(word) > 4 or word == "gout")
        ]
        return tuple(rng.sample(fitting, 2))

    def _vitals(self, condition: Condition, person: Person, severity: float, rng: random.Random) -> Iterable[Fact]:
        drawn: dict[str, float] = {}
        noise = rng.random()
        for vital_id in (*DISPLAYED_VITALS, "diastolic_bp_mmhg"):
            vital, own = self.bank.vitals[vital_id], _own_rng(noise, vital_id)
            drawn[vital_id] = _draw(vital, vital_id, condition, condition.vitals.get(vital_id), person, severity, own)
        if drawn["diastolic_bp_mmhg"] > 0.75 * drawn["systolic_bp_mmhg"]:
            drawn["diastolic_bp_mmhg"] = float(round(drawn["systolic_bp_mmhg"] * rng.uniform(0.55, 0.72)))
        for vital_id, value in drawn.items():
            vital = self.bank.vitals[vital_id]
            reference = reference_range(vital, person)
            yield _fact(
                f"vital:{vital_id}", "vital", vital.name, f"{vital.name} {number(value, vital.decimals)}",
                value=value, unit=vital.unit, reference_low=reference.low, reference_high=reference.high,
                time_hours=0.5,
            )  # fmt: skip

    def _labs(self, condition: Condition, person: Person, severity: float, rng: random.Random) -> Iterable[Fact]:
        noise = rng.random()
        for analyte_id in (*condition.labs, *condition.normal_labs):
            yield self.lab(analyte_id, condition, person, severity, _own_rng(noise, analyte_id))

    def lab(self, analyte_id: str, condition: Condition, person: Person, severity: float, rng: random.Random) -> Fact:
        """A result of this analyte: characteristic if the condition says so, otherwise normal."""
        analyte = self.bank.analytes[analyte_id]
        reference = reference_range(analyte, person)
        value = _draw(analyte, analyte_id, condition, condition.labs.get(analyte_id), person, severity, rng)
        return _fact(
            f"lab:{analyte_id}", "lab", analyte.name, lab_row(analyte, value, reference),
            value=value, unit=analyte.unit, reference_low=reference.low, reference_high=reference.high, time_hours=0.7,
        )  # fmt: skip


def _own_rng(noise: float, entry_id: str) -> random.Random:
    """The generator of one result; results that move together have the same one."""
    return random.Random(f"{noise} {TOGETHER.get(entry_id, entry_id)}")


def lab_row(analyte: Analyte, value: float, reference: Range) -> str:
    """A row of a laboratory table: "Potassium 4.1 mmol/L (ref 3.5-5.3)"."""
    return f"{analyte.name} {measured(analyte, value)} ({reference_text(analyte, reference)})"


def measured(analyte: Analyte, value: float) -> str:
    """A result with its unit, if it has one: "4.1 mmol/L"."""
    shown = number(value, analyte.decimals)
    if analyte.detection_limit is not None and value < analyte.detection_limit:
        shown = f"<{number(analyte.detection_limit, analyte.decimals)}"
    return shown if analyte.unit in ("", "pH", "ratio") else f"{shown} {analyte.unit}"


def reference_text(analyte: Analyte, reference: Range) -> str:
    low, high = number(reference.low, analyte.decimals), number(reference.high, analyte.decimals)
    return f"ref <{high}" if reference.low <= analyte.plausible.low or reference.low == 0 else f"ref {low}-{high}"


def _fact(fact_id: str, kind: str, name: str, text: str, **more: object) -> Fact:
    # Built by code from checked parts: validation would only cost time here; tests validate samples.
    values: dict[str, object] = {
        "value": None, "unit": None, "reference_low": None, "reference_high": None, "time_hours": 0.0,
    }  # fmt: skip
    return Fact.model_construct(id=fact_id, kind=kind, name=name, text=text, **{**values, **more})  # type: ignore[arg-type]


def draw_person(condition: Condition, rng: random.Random) -> Person:
    ages = condition.population.age_years
    age = rng.uniform(ages.low, ages.high)
    if age >= 2:
        age = float(int(age))
    sex: Literal["female", "male"]
    sex = rng.choice(("female", "male")) if condition.population.sex == "any" else condition.population.sex
    if age < 1:
        weight = 3.4 + 0.5 * age * 12
    elif age <= 10:
        weight = 2 * (age + 4)
    elif age < 17:
        weight = 3.2 * age
    else:
        weight = rng.gauss(70, 11) if sex == "female" else rng.gauss(82, 12)
    decimals = 1 if age < 2 else 0
    return Person(age, sex, round(min(max(weight * rng.uniform(0.93, 1.07), 2.5), 140), decimals))


def _background(
    condition: Condition, home: Medication, comorbidities: tuple[Comorbidity, ...], rng: random.Random
) -> Iterable[Fact]:
    """The home medicine that is shown with the illness it treats, further history, and the comorbidities."""
    yield _fact("history:main", "history", home.treats, home.treats)
    for entry in condition.history:
        if entry.name != home.treats and rng.random() < entry.probability:
            yield _fact(f"history:{entry.name}", "history", entry.name, entry.name)
    yield _fact("medication:main", "medication", home.drug, dose_text(home), value=home.dose, unit=home.unit)
    has, has_not = comorbidities
    yield _fact("history:comorbidity", "history", has.name, has.name)
    yield _fact("medication:comorbidity", "medication", has.drug, has.drug)
    yield _fact("denied:history", "history", has_not.name, has_not.name)
    yield _fact("denied:medication", "medication", has_not.drug, has_not.drug)


def _draw(
    entry: Analyte | Vital, entry_id: str, condition: Condition, characteristic: Range | None, person: Person,
    severity: float, rng: random.Random,
) -> float:  # fmt: skip
    reference = reference_range(entry, person)
    if characteristic is None:
        # The middle of the reference range, so that a normal result is beyond doubt; one-sided ranges stay low.
        span = reference.high - reference.low
        low = reference.low + (0.15 if reference.low > entry.plausible.low else 0.1) * span
        value = rng.uniform(low, reference.high - 0.2 * span)
    else:
        position = _reflected(severity + rng.gauss(0, 0.12))
        if entry_id in condition.labs_fall:
            position = 1 - position
        # A critical value is always an injected one, unless the condition knows no other; scenes leave that one out.
        values = uncritical(entry, characteristic, person) or characteristic
        value = values.low + position * (values.high - values.low)
    return round(value, entry.decimals)


def _reflected(position: float) -> float:
    """A position folded back into [0, 1]: cutting it off would pile values up at the ends."""
    position = abs(position)
    return position if position <= 1 else max(0.0, 2 - position)
