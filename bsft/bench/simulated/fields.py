"""What of a simulated patient templates may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bsft.bench.person import ago
from bsft.bench.spoken import spoken

if TYPE_CHECKING:
    from bsft.bench.simulated.patient import SimulatedPatient

SPECIALTY_NAMES = {
    "emergency_medicine": "emergency medicine",
    "infectious_disease": "infectious diseases",
    "obstetrics_gynaecology": "obstetrics and gynaecology",
}


def spoken_fields(patient: SimulatedPatient) -> dict[str, str]:
    """Fields that the templates for simulated cases may use."""
    condition, rng = patient.condition, patient.rng("fields")
    other = rng.choice(condition.differentials)
    exams = {f"s{i}": entry.site for i, entry in enumerate(patient.exams)}
    exams |= {f"f{i}": patient.text(f"exam:{entry.id}") for i, entry in enumerate(patient.exams)}
    return {
        **_story_fields(patient),
        **exams,
        "name": f"{patient.title} {patient.surname}",
        "age": patient.person.age,
        "specialty": SPECIALTY_NAMES.get(condition.specialty, condition.specialty),
        "allergies": patient.allergies_text(patient.allergens),
        "h": patient.text("history:main"),
        "x": patient.text("history:comorbidity"),
        "m": patient.text("medication:main"),
        "mx": patient.text("medication:comorbidity"),
        "side": patient.side,
        "other_side": patient.other_side,
        "dx": condition.name,
        "ddx": other.name,
        "shared": other.shared,
        "against": other.against,
        "test": condition.next_test.test,
        "because": condition.next_test.because,
        "red_flag": rng.choice(condition.red_flags),
        "counsel": rng.choice(condition.counselling),
        "step": rng.choice(condition.guideline_steps).text,
        "study": patient.imaging.study,
        "study_spoken": spoken(patient.imaging.study),
    }


def _story_fields(patient: SimulatedPatient) -> dict[str, str]:
    """The events that are told, out of order, with their times; `a` and `b`, which all tell, in their order too."""
    told = list(patient.told_events)
    patient.rng("telling").shuffle(told)
    fields: dict[str, str] = {}
    for letter, event_id in zip("abc", told, strict=True):
        fact = patient.facts[event_id]
        fields |= {letter: fact.text, f"t{letter}": ago(-fact.time_hours)}
    in_time = "ab" if patient.facts[told[0]].time_hours < patient.facts[told[1]].time_hours else "ba"
    for when, letter in zip(("early", "late"), in_time, strict=True):
        fields |= {when: fields[letter], f"t_{when}": fields[f"t{letter}"]}
    return fields
