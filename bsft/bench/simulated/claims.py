"""What concerns about a simulated case name where nothing is wrong: the other concerns of an item, all unjustified."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bsft.bench.person import Person
from bsft.bench.scene import Scene
from bsft.bench.spoken import VITAL_PHRASES, measured, spoken_analyte

if TYPE_CHECKING:
    from bsft.bench.simulated.case import SimulatedCase

Claim = Mapping[str, str]
"""Fields of a concern's wordings."""

REPEAT_SAMPLE = "repeat the sample"
REPEAT_READING = "repeat it now and call the registrar"


def value_claim(case: SimulatedCase, value_id: str, name: str, value: str, *, is_low: bool = False) -> Claim:
    """About a vital sign or result that is, or would be, critical."""
    harms = case.words.problems.harms.of(value_id)
    harm = harms.get("low" if is_low else "high") or next(iter(harms.values()), None)
    about = {"harm": "harm", "action": REPEAT_READING} if harm is None else {"harm": harm.harm, "action": harm.action}
    return {"analyte": name, "vital": name, "value": value, **about}


def lab_claim(case: SimulatedCase, rng: random.Random) -> Claim:
    harms = case.words.problems.harms
    analyte_id = rng.choice([a for a in case.shown_labs if harms.of(a)] or list(case.shown_labs))
    analyte = case.bank.analytes[analyte_id]
    return value_claim(case, analyte_id, spoken_analyte(analyte), measured(analyte, case.value(f"lab:{analyte_id}")))


def vital_claim(case: SimulatedCase, rng: random.Random) -> Claim:
    vital_id = rng.choice(case.normal_vitals or list(case.shown_vitals))
    return value_claim(case, vital_id, VITAL_PHRASES[vital_id][0], vital_value(case, vital_id, case.vital(vital_id)))


def vital_value(case: SimulatedCase, vital_id: str, value: float) -> str:
    """ "82%", "38.9", "118/70"."""
    return case.vital_text(vital_id, value).removeprefix(VITAL_PHRASES[vital_id][0]).strip()


def result_claim(case: SimulatedCase, rng: random.Random) -> Claim:
    """About a result that is said to be printed wrongly."""
    analyte_id = rng.choice(case.shown_labs)
    analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
    return {
        "analyte": spoken_analyte(analyte), "value": measured(analyte, value), "action": REPEAT_SAMPLE,
        "earlier": measured(analyte, value / 10),
    }  # fmt: skip


def history_medicine_claim(case: SimulatedCase, rng: random.Random) -> Claim:
    return {"drug": case.text("medication:comorbidity"), "illness": case.text("denied:history")}


def wrong_patient_claim(case: SimulatedCase, rng: random.Random) -> Claim:
    return {"said": name_and_age(case), "written": other_patient(case, rng), "what": "the label"}


def name_and_age(case: SimulatedCase) -> str:
    """ "Mrs Okafor, 72 years"."""
    return f"{case.title} {case.surname}, {case.person.age}"


def other_patient(case: SimulatedCase, rng: random.Random) -> str:
    """Another name, and of an adult another age."""
    surname = rng.choice([name for name in case.words.conversation.surnames if name != case.surname])
    years = case.person.age_years
    age = years if years < 18 else float(rng.randint(18, 94))
    return f"{case.title} {surname}, {Person(age, case.person.sex, case.person.weight_kg).age}"


UNJUSTIFIED: Mapping[str, tuple[str, Callable[[SimulatedCase, random.Random], Claim]]] = {
    "flag_critical_vital": ("observations", vital_claim),
    "flag_critical_lab": ("laboratory", lab_claim),
    "flag_impossible_value": ("laboratory", result_claim),
    "flag_history_medicine": ("background", history_medicine_claim),
    "flag_wrong_patient": ("intro", wrong_patient_claim),
}
"""Concerns that any scene could raise wrongly, with the topic that must be there to speak of them."""


def unjustified_concern(case: SimulatedCase, scene: Scene, rng: random.Random) -> tuple[str, Claim]:
    """Label and fields of a concern about something that the scene shows and that is right."""
    label = rng.choice([label for label, (topic, _) in UNJUSTIFIED.items() if topic in scene])
    return label, UNJUSTIFIED[label][1](case, rng)
