"""Simulated cases are plausible, complete and reproducible."""

from __future__ import annotations

import random
import re

import pytest
from engine_cases import all_cases, case_of

from bsft.bench.bank.load import load_bank
from bsft.bench.limits import reference_range
from bsft.bench.oracle import allergy_conflict, allergy_is_debatable, takes_no_tablets
from bsft.bench.person import Person, ago
from bsft.bench.simulated.case import simulate_case
from bsft.bench.simulated.simulate import draw_person
from bsft.bench.splits import plan_cases
from bsft.records.schema import Case


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.5, "30 minutes ago"), (1.2, "1 hour ago"), (30, "30 hours ago"), (72, "3 days ago"), (24 * 21, "3 weeks ago"),
     (24 * 150, "5 months ago"), (24 * 365.25 * 3, "3 years ago")],
)  # fmt: skip
def test_durations_are_spoken_in_the_unit_that_fits(hours: float, text: str) -> None:
    assert ago(hours) == text


@pytest.mark.parametrize(
    ("age_years", "text"), [(72, "a 72-year-old"), (81, "an 81-year-old"), (18, "an 18-year-old"),
                            (0.42, "a 5-month-old"), (0.06, "a 3-week-old"), (8, "an 8-year-old")]
)  # fmt: skip
def test_ages_have_their_article_and_unit(age_years: float, text: str) -> None:
    assert Person(age_years, "female", 60).an_age == text


def test_every_simulated_case_is_a_valid_record() -> None:
    for case in all_cases():
        assert Case.model_validate_json(case.case.model_dump_json()) == case.case


def test_the_same_seed_gives_the_same_case_and_another_id_another_one() -> None:
    first, again = case_of("community_acquired_pneumonia"), case_of("community_acquired_pneumonia")
    assert first.case == again.case and first.scene("story").text == again.scene("story").text
    assert first.case.facts != case_of("community_acquired_pneumonia", 1).case.facts


def test_blood_pressures_and_time_are_in_order() -> None:
    for case in all_cases():
        systolic = case.facts["vital:systolic_bp_mmhg"].value
        diastolic = case.facts["vital:diastolic_bp_mmhg"].value
        assert isinstance(systolic, float | int) and isinstance(diastolic, float | int)
        assert diastolic < systolic
        times = [event.time_hours for event in case.case.events]
        assert times == sorted(times) and times[-1] < 0


def test_characteristic_results_are_abnormal_and_normal_ones_are_normal() -> None:
    bank = load_bank()
    for case in all_cases():
        for analyte_id in (*case.condition.labs, *case.condition.normal_labs):
            fact = case.facts[f"lab:{analyte_id}"]
            reference = reference_range(bank.analytes[analyte_id], case.person)
            assert isinstance(fact.value, float | int)
            is_normal = reference.low <= fact.value <= reference.high
            assert is_normal == (analyte_id in case.condition.normal_labs), fact


def test_no_drug_of_a_case_is_forbidden_or_debatable_by_its_allergies() -> None:
    bank = load_bank()
    for case in all_cases():
        drugs = [*case.condition.first_line.drugs, case.home_medicine.drug]
        assert not any(allergy_conflict(bank, allergen, drugs) for allergen in case.allergens), case.case.id
        assert not any(allergy_is_debatable(bank, allergen, drugs) for allergen in case.allergens), case.case.id


def test_what_is_critical_belongs_to_the_illness() -> None:
    for case in all_cases():
        for value_id in (*case.shown_labs, *case.shown_vitals):
            own = value_id in case.condition.labs or value_id in case.condition.vitals
            assert own or not case.is_alarming(value_id), (case.case.id, value_id)


def test_neutrophils_are_fewer_than_white_cells() -> None:
    counted = [case.facts for case in all_cases() if {"lab:neutrophils", "lab:white_cells"} <= set(case.facts)]
    assert counted
    for facts in counted:
        neutrophils, white_cells = facts["lab:neutrophils"].value, facts["lab:white_cells"].value
        assert isinstance(neutrophils, float) and isinstance(white_cells, float)
        assert neutrophils <= white_cells


def test_digoxin_toxicity_has_digoxin_at_home() -> None:
    assert all(case_of("digoxin_toxicity", number).home_medicine.drug == "digoxin" for number in range(5))


def test_people_fit_the_condition() -> None:
    bank = load_bank()
    rng = random.Random(0)
    for condition in bank.conditions.values():
        person = draw_person(condition, rng)
        assert condition.population.age_years.low - 1 <= person.age_years <= condition.population.age_years.high
        assert condition.population.sex in ("any", person.sex)
        assert 2.5 <= person.weight_kg <= 140


def test_every_home_medicine_that_is_shown_treats_an_illness_of_the_history() -> None:
    for case in all_cases():
        assert case.text("history:main") == case.home_medicine.treats
        assert case.home_medicine.treats in {entry.name for entry in case.condition.history}, case.case.id


def test_patients_are_old_enough_for_their_allergens() -> None:
    bank = load_bank()
    for case in all_cases():
        for name in case.allergens:
            assert case.person.age_years >= bank.allergens[name].min_age_years, (case.case.id, name)


def test_tablets_are_held_where_nothing_can_be_taken_by_mouth() -> None:
    """Who shows home tablets of somebody who vomits says that they are paused; elsewhere nobody does."""
    held = 0
    for plan in plan_cases(load_bank(), 200, 3)["train"]:
        case = simulate_case(plan.condition, case_id=plan.case_id, split="train", seed=3, level=plan.level)
        scene = case.scene("background")
        assert ("acted on/tablets" in scene) == case.tablets_are_held
        if case.tablets_are_held:
            held += 1
            assert case.home_medicine.route == "by mouth" and takes_no_tablets(case.condition)
            assert scene.index("acted on/tablets") == scene.index("background") + 1
            assert re.search(r"[Tt]ablet|oral|by mouth", scene["acted on/tablets"].turn.text)
    assert held > 15
