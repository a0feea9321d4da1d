"""From a condition of the bank and a random generator to one patient's case.

One latent severity in [0, 1] moves the characteristic vital signs and laboratory results together; the side is chosen
once; everything that is drawn is recorded as a fact with its id, so that scenes and oracles speak of the same things.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from bsft.bench.bank.load import load_bank
from bsft.bench.bank.reference_schema import Analyte, Vital
from bsft.bench.bank.schema import Condition, Medication, Range
from bsft.bench.limits import reference_range
from bsft.bench.oracle import takes_no_tablets
from bsft.bench.person import Person
from bsft.bench.problem import draw_edit
from bsft.bench.simulated.allergies import draw_allergens
from bsft.bench.spoken import DISPLAYED_VITALS, dose_text, lab_row, number
from bsft.bench.wordings import Comorbidity, Edition, load_words, pick_phrase
from bsft.records.schema import Case, Demographics, DifferentialDiagnosis, Event, Fact, ImageSpec

TOGETHER = {"neutrophils": "white_cells", "haematocrit": "haemoglobin", "diastolic_bp_mmhg": "systolic_bp_mmhg"}
"""Results that move with another one: both are drawn with the same noise."""


def simulate(condition: Condition, case_id: str, edition: Edition, rng: random.Random) -> Case:
    """One case of `condition`.

    Args:
        condition: what the patient has.
        case_id: becomes the case's id.
        edition: which wordings of the bank's phrases may be used.
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
    home = rng.choices(condition.medications, _home_weights(condition))[0]
    comorbidities = _comorbidities(condition, person, rng)
    facts += _background(condition, home, comorbidities, rng)
    for allergen in draw_allergens(condition, person, comorbidities[0].drug, rng):
        reaction = rng.choice(load_bank().allergens[allergen].reactions)
        facts.append(_fact(f"allergy:{allergen}", "allergy", allergen, f"{allergen} ({reaction})"))
    for finding in condition.exam:
        facts.append(_fact(f"exam:{finding.id}", "exam", finding.site, phrase(finding.finding)))
        facts.append(_fact(f"exam_normal:{finding.id}", "exam", finding.site, phrase(finding.normal)))
    facts += _vitals(condition, person, severity, rng)
    facts += _labs(condition, person, severity, rng)
    for study in condition.imaging:
        facts.append(_fact(f"imaging:{study.id}", "imaging", study.study, phrase(study.finding), time_hours=1.0))
        facts.append(_fact(f"imaging_normal:{study.id}", "imaging", study.study, phrase(study.normal), time_hours=1.0))
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


def _home_weights(condition: Condition) -> list[float]:
    """How often each home medicine is the one that is shown."""
    causal = [m.drug for m in condition.medications if m.drug in condition.name]
    if causal:  # digoxin toxicity without digoxin at home would be a riddle
        return [float(m.drug in causal) for m in condition.medications]
    # a medicine whose reason the history does not name would be a contradiction that nobody injected
    reasons = {entry.name for entry in condition.history}
    return [m.probability if m.treats in reasons else 0.0 for m in condition.medications]


def _comorbidities(condition: Condition, person: Person, rng: random.Random) -> tuple[Comorbidity, ...]:
    """Two chronic illnesses apart from the acute problem: one that the patient has and one that they have not."""
    mentioned = " ".join([condition.name, *(h.name for h in condition.history), *(condition.complaint)]).lower()
    used = {m.drug for m in condition.medications} | {*condition.first_line.drugs, *condition.alternative.drugs}
    fitting = [
        entry
        for entry in load_words().comorbidities
        if entry.ages.low <= person.age_years <= entry.ages.high
        and entry.sex in ("any", person.sex)
        and condition.specialty not in entry.related
        and entry.drug.split()[0] not in used
        and not any(word in mentioned for word in entry.name.lower().split() if len(word) > 4 or word == "gout")
        and not (entry.never_missed and takes_no_tablets(condition))
    ]
    by_drug = {entry.drug: entry for entry in fitting}
    denied = [drug for drug, entry in by_drug.items() if not entry.harmless] or list(by_drug)
    has, has_not = draw_edit(((own, other) for own in by_drug for other in denied if own != other), rng)
    return by_drug[has], by_drug[has_not]


def _vitals(condition: Condition, person: Person, severity: float, rng: random.Random) -> Iterable[Fact]:
    drawn: dict[str, float] = {}
    noise = rng.random()
    for vital_id in (*DISPLAYED_VITALS, "diastolic_bp_mmhg"):
        vital, own = load_bank().vitals[vital_id], _own_rng(noise, vital_id)
        drawn[vital_id] = _draw(vital, vital_id, condition, condition.vitals.get(vital_id), person, severity, own)
    if drawn["diastolic_bp_mmhg"] > 0.75 * drawn["systolic_bp_mmhg"]:
        drawn["diastolic_bp_mmhg"] = float(round(drawn["systolic_bp_mmhg"] * rng.uniform(0.55, 0.72)))
    for vital_id, value in drawn.items():
        vital = load_bank().vitals[vital_id]
        reference = reference_range(vital, person)
        yield _fact(
            f"vital:{vital_id}", "vital", vital.name, f"{vital.name} {number(value, vital.decimals)}",
            value=value, unit=vital.unit, reference_low=reference.low, reference_high=reference.high,
            time_hours=0.5,
        )  # fmt: skip


def _labs(condition: Condition, person: Person, severity: float, rng: random.Random) -> Iterable[Fact]:
    noise = rng.random()
    for analyte_id in (*condition.labs, *condition.normal_labs):
        yield lab_fact(analyte_id, condition, person, severity, _own_rng(noise, analyte_id))


def lab_fact(analyte_id: str, condition: Condition, person: Person, severity: float, rng: random.Random) -> Fact:
    """A result of this analyte: characteristic if the condition says so, otherwise normal."""
    analyte = load_bank().analytes[analyte_id]
    reference = reference_range(analyte, person)
    value = _draw(analyte, analyte_id, condition, condition.labs.get(analyte_id), person, severity, rng)
    return _fact(
        f"lab:{analyte_id}", "lab", analyte.name, lab_row(analyte, value, reference),
        value=value, unit=analyte.unit, reference_low=reference.low, reference_high=reference.high, time_hours=0.7,
    )  # fmt: skip


def _own_rng(noise: float, entry_id: str) -> random.Random:
    """The generator of one result; results that move together have the same one."""
    return random.Random(f"{noise} {TOGETHER.get(entry_id, entry_id)}")


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
        value = characteristic.low + position * (characteristic.high - characteristic.low)
    return round(value, entry.decimals)


def _reflected(position: float) -> float:
    """A position folded back into [0, 1]: cutting it off would pile values up at the ends."""
    position = abs(position)
    return position if position <= 1 else max(0.0, 2 - position)
