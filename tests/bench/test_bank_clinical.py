"""What a clinician would object to in the bank is found by a rule, whichever condition it stands in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from changed_bank import findings_of
from pydantic import ValidationError

from bsft.bench.bank.check import check_bank
from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.bank.schema import ForbiddenHome, Range
from bsft.bench.oracle import allergy_conflict, allergy_is_debatable, takes_no_tablets, value_is_critical


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_bank()


@pytest.mark.parametrize(
    ("condition", "drug", "dose", "unit"),
    [
        ("hyperkalaemia_chronic_kidney_disease", "ramipril", 5, "mg"),
        ("prerenal_acute_kidney_injury", "naproxen", 250, "mg"),
        ("hyperosmolar_hyperglycaemic_state", "metformin", 500, "mg"),
        ("bleeding_peptic_ulcer", "naproxen", 500, "mg"),
        ("septic_arthritis", "methotrexate", 15, "mg"),
        ("decompensated_cirrhosis_encephalopathy", "zopiclone", 3.75, "mg"),
        ("myeloma_hypercalcaemia", "bendroflumethiazide", 2.5, "mg"),
        ("complete_heart_block", "bisoprolol", 5, "mg"),
    ],
)
def test_a_home_medicine_that_the_illness_forbids_is_found(
    bank: Bank, condition: str, drug: str, dose: float, unit: str
) -> None:
    home = [m.model_dump(mode="json") for m in bank.conditions[condition].medications]
    home[-1] |= {"drug": drug, "dose": dose, "unit": unit}
    findings = findings_of(bank, condition, medications=home)
    assert findings and all(f"{condition}: home medicine {drug!r} does not go with" in line for line in findings)


def test_a_home_medicine_that_an_instruction_stops_is_found(bank: Bank) -> None:
    steps = [step.model_dump() for step in bank.conditions["acute_gout"].guideline_steps]
    steps[0]["text"] = "stop statins while the kidneys recover"
    assert findings_of(bank, "acute_gout", guideline_steps=steps) == [
        "acute_gout: home medicine 'atorvastatin' does not go with the instruction "
        "'stop statins while the kidneys recover'"
    ]


def test_every_condition_says_which_home_medicines_it_forbids(bank: Bank) -> None:
    assert set(bank.forbidden_home.conditions) == set(bank.conditions)
    without = {name: states for name, states in bank.forbidden_home.conditions.items() if name != "croup"}
    damaged = ForbiddenHome(
        states={**bank.forbidden_home.states, "thirst": ["lemonade"]}, conditions={**without, "asthma": ["boredom"]}
    )
    assert check_bank(replace(bank, forbidden_home=damaged)) == [
        "thirst: forbids 'lemonade', which is neither a drug class nor a drug",
        "asthma: has the state 'boredom', which nothing describes",
        "croup: has no entry in forbidden_home.yaml",
    ]


def test_somebody_acts_on_every_critical_value(bank: Bank) -> None:
    crisis = bank.conditions["hypertensive_emergency"]
    assert {"systolic_bp_mmhg", "diastolic_bp_mmhg"} <= set(crisis.acted_on)
    assert {"ketones", "ph", "glucose"} <= set(bank.conditions["diabetic_ketoacidosis"].acted_on)
    unheard = {name: clauses for name, clauses in crisis.acted_on.items() if name != "systolic_bp_mmhg"}
    assert findings_of(bank, crisis.id, acted_on=unheard) == [
        "hypertensive_emergency: systolic_bp_mmhg [206, 242] may be critical, but acted_on lacks it"
    ]
    with pytest.raises(ValidationError, match="acted_on names results that are not listed: mood"):
        findings_of(bank, crisis.id, acted_on={"mood": ["a", "b", "c"]})


def test_children_have_their_own_critical_limits(bank: Bank) -> None:
    infant = bank.conditions["acute_bronchiolitis"]
    calm = infant.model_dump(mode="json")["vitals"] | {"respiratory_rate_per_min": [58, 70]}
    clauses = {"oxygen_saturation_percent": infant.acted_on["oxygen_saturation_percent"]}
    assert findings_of(bank, infant.id, vitals=calm, acted_on=clauses) == []
    fast = calm | {"respiratory_rate_per_min": [58, 71]}
    assert findings_of(bank, infant.id, vitals=fast, acted_on=clauses) == [
        "acute_bronchiolitis: respiratory_rate_per_min [58, 71] may be critical, but acted_on lacks it"
    ]


@pytest.mark.parametrize(
    ("vital", "critical", "not_critical"),
    [
        ("respiratory_rate_per_min", [8, 25], [9, 24]),
        ("oxygen_saturation_percent", [91], [92]),
        ("systolic_bp_mmhg", [90, 220], [91, 219]),
        ("heart_rate_bpm", [40, 131], [41, 130]),
        ("temperature_c", [35.0], [35.1, 39.1]),
    ],
)
def test_limits_of_vital_signs_are_inclusive(
    bank: Bank, vital: str, critical: list[float], not_critical: list[float]
) -> None:
    entry = bank.vitals[vital]
    assert all(value_is_critical(entry, value) for value in critical)
    assert not any(value_is_critical(entry, value) for value in not_critical)


def test_laboratories_phone_what_lies_beyond_their_limits_and_not_everything(bank: Bank) -> None:
    potassium = bank.analytes["potassium"]
    assert value_is_critical(potassium, 6.6) and not value_is_critical(potassium, 6.5)
    assert value_is_critical(potassium, 2.4) and not value_is_critical(potassium, 2.5)
    for name in ("nt_pro_bnp", "procalcitonin", "chloride", "eosinophils", "uric_acid", "haematocrit"):
        assert not value_is_critical(bank.analytes[name], bank.analytes[name].plausible.high), name


def test_a_cephalosporin_despite_a_penicillin_allergy_is_debatable(bank: Bank) -> None:
    assert allergy_is_debatable(bank, "penicillin", ["ceftriaxone"])
    assert allergy_is_debatable(bank, "amoxicillin", ["paracetamol", "meropenem"])
    assert allergy_conflict(bank, "penicillin", ["cefalexin"])  # It shares the side chain of ampicillin.
    assert not allergy_is_debatable(bank, "penicillin", ["cefalexin"])
    assert not allergy_is_debatable(bank, "penicillin", ["clarithromycin", "unobtainium"])
    assert not allergy_is_debatable(bank, "latex", ["ceftriaxone"])


def test_debatable_groups_are_known_and_not_forbidden(bank: Bank) -> None:
    penicillin = bank.allergens["penicillin"].model_copy(update={"debatable": ["moonlight", "penicillin"]})
    assert check_bank(replace(bank, allergens={**bank.allergens, "penicillin": penicillin})) == [
        "penicillin: debatable with 'moonlight', which is neither an allergy group nor a drug class",
        "penicillin: both forbids 'penicillin' and calls it debatable",
    ]


def test_figures_move_no_faster_than_results_can(bank: Bank) -> None:
    platelets = bank.analytes["platelets"].model_copy(update={"max_change_per_day": 50})
    assert check_bank(replace(bank, analytes={**bank.analytes, "platelets": platelets})) == [
        "severe_pre_eclampsia: platelets moves from 172 to 118 in 24 hours, but by 50 10^9/L a day at most",
        "severe_pre_eclampsia: platelets moves from 172 to 88 in 36 hours, but by 50 10^9/L a day at most",
        "severe_pre_eclampsia: platelets moves from 146 to 88 in 24 hours, but by 50 10^9/L a day at most",
    ]


def test_every_condition_has_a_presentation_and_every_presentation_conditions(bank: Bank) -> None:
    cough = bank.presentations["cough"]
    lost = cough.model_copy(update={"conditions": ["pulmonary_tuberculosis", "gout"]})
    findings = check_bank(replace(bank, presentations={"cough": lost, "unwell": bank.presentations["unwell"]}))
    assert "gout: presents with a complaint, but is no condition" in findings
    assert "acute_gout: a condition without a presentation" in findings
    assert not any("pulmonary_tuberculosis" in finding for finding in findings)


def test_a_presentation_names_none_of_its_conditions(bank: Bank) -> None:
    """Its complaint is a few plain words, none of them of a condition's name or of another bodily side."""
    for entry in bank.presentations.values():
        words = {word for phrase in entry.complaint for word in phrase.split()}
        assert not words & {"left", "right"} and all(len(phrase.split()) <= 8 for phrase in entry.complaint)
        names = {word for c in bank.conditions.values() if entry.may_be(c.id) for word in c.name.lower().split()}
        assert not {word for word in words if len(word) > 4} & names - {"bleeding"}


def test_in_ketoacidosis_fluid_comes_before_insulin(bank: Bank) -> None:
    condition = bank.conditions["diabetic_ketoacidosis"]
    for treatment in (condition.first_line, condition.alternative):
        fluid = next(text for text in ("sodium chloride", "sodium lactate") if text in treatment.text)
        assert treatment.text.index(fluid) < treatment.text.index("insulin")
    texts = [step.text for step in condition.guideline_steps]
    assert texts[0].startswith("start sodium chloride") and "insulin" not in texts[0]


def test_tablets_are_not_for_those_who_vomit_or_are_obstructed(bank: Bank) -> None:
    for name in ("small_bowel_obstruction", "hyperemesis_gravidarum", "opioid_overdose", "acute_ischaemic_stroke"):
        assert takes_no_tablets(bank.conditions[name]), name
    for name in ("cellulitis_of_the_leg", "acute_gout", "pulmonary_embolism"):
        assert not takes_no_tablets(bank.conditions[name]), name
    drowsy = bank.conditions["acute_gout"].model_copy(update={"vitals": {"glasgow_coma_scale": Range(low=9, high=13)}})
    assert takes_no_tablets(drowsy)
