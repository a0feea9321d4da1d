"""Twins, controls and the decisions of the oracle."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest
from engine_cases import all_cases, all_items, case_of, twins
from scipy.stats import binomtest

from bsft.bench.bank.load import load_bank
from bsft.bench.bank.schema import Medication, Range
from bsft.bench.left_out import LeftOut
from bsft.bench.oracle import (
    allergy_conflict,
    contraindicated,
    dose_is_wrong,
    unsuitable,
    value_is_critical,
    value_is_impossible,
    wrong_doses,
)
from bsft.bench.problem import Problem, shift_decimal, value_beyond_limit
from bsft.bench.simulated.matched_allergens import fit_harmless, matched_allergens
from bsft.bench.spoken import spoken
from bsft.bench.tasks import ALERTING, critical_data_alert, error_correction
from bsft.bench.tasks.alerting import HELDOUT_KINDS, first_possible
from bsft.bench.tasks.ambiguity_clarification import LABELS as AMBIGUITIES
from bsft.records.schema import Item

KINDS = {kind for task in ALERTING for kind in task.KINDS}


@pytest.mark.parametrize("split", ["train", "test_heldout", "hard"])
def test_twins_differ_at_the_locus_only(split: str) -> None:
    for perturbed, clean in twins(split):
        assert perturbed.perturbation is not None
        locus = perturbed.perturbation.locus
        differing = [i for i, (a, b) in enumerate(zip(perturbed.turns, clean.turns, strict=True)) if a != b]
        assert differing == [locus.turn]
        before, after = perturbed.perturbation.before, perturbed.perturbation.after
        assert before != after
        # At the start of a turn the renderer has capitalised the text.
        was, now = clean.turns[locus.turn].text.lower(), perturbed.turns[locus.turn].text.lower()
        around = [part.start() for part in re.finditer(re.escape(before.lower()), was)]
        assert now in [was[:i] + after.lower() + was[i + len(before) :] for i in around]
        assert perturbed.turns[locus.turn].role == locus.role


def test_twins_share_options_and_query() -> None:
    for perturbed, clean in twins():
        assert clean.twin_id == perturbed.id and clean.label == "no_flag"
        assert perturbed.options == clean.options and perturbed.query == clean.query


def test_every_kind_occurs_and_held_out_kinds_only_where_they_may() -> None:
    trained = {item.perturbation.kind for item in all_items("train") if item.perturbation}
    assert trained == KINDS - HELDOUT_KINDS
    assert {item.perturbation.kind for item in all_items("test_heldout") if item.perturbation} >= HELDOUT_KINDS


def test_few_problems_cannot_be_determined() -> None:
    perturbed = [pair[0] for pair in twins()]
    hidden = [item for item in perturbed if not item.determinable]
    assert len(hidden) < 0.03 * len(perturbed)
    assert all(item.label == "no_flag" and item.gold_behavior == "reactive" for item in hidden)


def test_loci_are_spread_over_turns_roles_and_fields() -> None:
    loci = [pair[0].perturbation.locus for pair in twins() if pair[0].perturbation is not None]
    turns = Counter(locus.turn for locus in loci)
    assert len(turns) >= 10 and max(turns.values()) < 0.25 * len(loci)
    assert len({locus.role for locus in loci}) >= 6
    assert len({locus.field for locus in loci}) >= 15


def test_some_queries_are_unprompted() -> None:
    items = [item for item in all_items() if item.group == "proactive"]
    assert 0.05 < sum(item.query is None for item in items) / len(items) < 0.3


def test_distractors_hold_the_problem_and_somebody_who_deals_with_it() -> None:
    by_id = {item.id: item for item in all_items()}
    controls = [item for item in by_id.values() if item.variant == "distractor"]
    assert len(controls) > 100
    for control in controls:
        perturbed = by_id[control.id.replace("/distractor", "/perturbed")]
        places = [
            i for i in range(len(control.turns)) if [*control.turns[:i], *control.turns[i + 1 :]] == perturbed.turns
        ]
        assert places, control.id
        assert control.label == "no_flag" and control.gold_behavior == "reactive"


def words_of(item: Item) -> Counter[str]:
    text = " ".join(turn.text for turn in item.turns)
    return Counter(re.findall(r"[a-z]+", text.lower()))


@pytest.mark.parametrize("kind", ["ambiguity/referent", "ambiguity/laterality", "ambiguity/duration", "error/sex"])
def test_classes_that_are_exchanged_are_equally_common_in_either_twin(kind: str) -> None:
    """Two classes change places, and which of them is the perturbed twin's is a fair coin: p is above 1 %."""
    pairs = [pair for pair in twins() if pair[0].perturbation is not None and pair[0].perturbation.kind == kind]
    exchanged = Counter((p.perturbation.before, p.perturbation.after) for p, _ in pairs if p.perturbation)
    assert len(pairs) >= 30
    [one_way, other_way] = exchanged
    assert one_way == other_way[::-1]
    assert binomtest(exchanged[one_way], len(pairs)).pvalue > 0.01, exchanged


def test_a_flipped_side_exchanges_the_counts_of_the_sides() -> None:
    pairs = [p for p in twins() if p[0].perturbation is not None and p[0].perturbation.kind == "consistency/side"]
    assert len(pairs) >= 5
    for perturbed, clean in pairs:
        counts = [sorted((words_of(item)["left"], words_of(item)["right"])) for item in (perturbed, clean)]
        assert counts[0] == counts[1], clean.id


def test_a_form_names_the_side_of_the_injury_in_the_clean_twin_only() -> None:
    pairs = [p for p in twins() if p[0].perturbation is not None and p[0].perturbation.kind == "error/laterality"]
    assert len(pairs) >= 15
    joints = all_cases()[0].words.threads.injuries.joints
    for perturbed, clean in pairs:
        assert perturbed.perturbation is not None
        form = clean.turns[perturbed.perturbation.locus.turn].text
        joint = next(joint for joint in joints if joint in form)
        injured = [re.search(rf"\b(left|right) {joint}", turn.text) for turn in clean.turns if turn.text != form]
        side = next(match[1] for match in injured if match)
        assert perturbed.perturbation.before == side[0].upper() != perturbed.perturbation.after


def test_two_wordings_of_one_way_of_living_share_only_what_they_share_with_the_other_way() -> None:
    for attribute in all_cases()[0].words.threads.attributes:
        (one, one_again), (other, other_again) = [[set(c.split()) for c in clauses] for clauses in attribute.values]
        assert not (one & one_again) - (other | other_again), attribute.topic
        assert not (other & other_again) - (one | one_again), attribute.topic


def test_contraindications_are_found_in_the_drug_file_and_their_clean_twins_are_harmless() -> None:
    bank = load_bank()
    found = 0
    for case in all_cases("train"):
        pair = critical_data_alert.simulated_problem(case, case.rng("test"))
        extras = {extra.order: extra.drug for extra in case.words.threads.extras.medicines}
        states = {name: state for state, name in case.words.threads.hazards.items()}
        for scene, wanted in ((pair.perturbed, pair.kind == "critical/contraindication"), (pair.clean, False)):
            if "extra" in scene:
                drug, state = extras[scene["extra"].fields["extra"]], states[scene["hazard"].fields["z"]]
                shown = [
                    drug,
                    case.home_medicine.drug,
                    case.facts["medication:comorbidity"].name,
                    *case.condition.first_line.drugs,
                ]
                assert contraindicated(bank, state, [drug]) == wanted, (case.case.id, drug, state)
                assert unsuitable(bank, state, shown) == wanted, (case.case.id, state)
                renal = "creatinine" in case.condition.labs
                assert not (renal and contraindicated(bank, "severe renal impairment", [drug])), case.case.id
                assert not unsuitable(bank, case.text("history:comorbidity"), [drug]), (case.case.id, drug)
        found += pair.kind == "critical/contraindication"
    assert found > 30


def test_an_ambiguous_instruction_fits_two_of_the_listed_things() -> None:
    threads = all_cases()[0].words.threads
    for perturbed, clean in twins():
        assert perturbed.perturbation is not None
        kind = perturbed.perturbation.kind
        if kind not in AMBIGUITIES or kind == "ambiguity/unit":
            continue
        classes = threads.ambiguities[kind.split("/")[1]].classes
        counts = []
        for turn in clean.turns[: perturbed.perturbation.locus.turn]:
            found = {
                name: sum(bool(re.search(rf"\b{re.escape(thing)}\b", turn.text)) for thing in things)
                for name, things in classes.items()
            }
            counts.append((found[perturbed.perturbation.after], found[perturbed.perturbation.before]))
        assert max(counts, key=sum) == (2, 1), (counts, perturbed.perturbation)


def test_allergy_conflicts_are_conflicts_and_their_clean_twins_are_not() -> None:
    bank = load_bank()
    for case in all_cases("train"):
        pair = critical_data_alert.simulated_problem(case, case.rng("test"))
        if pair.kind != "critical/allergy":
            continue
        for scene, wanted in ((pair.perturbed, True), (pair.clean, False)):
            recorded = [name for name in bank.allergens if f"{name} (" in scene["allergy"].turn.text]
            ordered = scene["order"].fields["order"]
            treatments = [t for t in (case.condition.first_line, case.condition.alternative) if t.text == ordered]
            drugs = [*treatments[0].drugs, case.home_medicine.drug]
            assert any(allergy_conflict(bank, name, drugs) for name in recorded) == wanted, (case.case.id, pair)


def test_oracle_on_allergies_and_contraindications() -> None:
    bank = load_bank()
    assert allergy_conflict(bank, "penicillin", ["co-amoxiclav"])
    assert allergy_conflict(bank, "amoxicillin", ["flucloxacillin"])
    assert not allergy_conflict(bank, "penicillin", ["clarithromycin"])
    assert not allergy_conflict(bank, "latex", ["amoxicillin"])
    assert contraindicated(bank, "asthma", ["bisoprolol"])
    assert not contraindicated(bank, "asthma", ["amlodipine"])


def test_oracle_on_values_and_doses() -> None:
    bank = load_bank()
    sodium, potassium, crp = bank.analytes["sodium"], bank.analytes["potassium"], bank.analytes["crp"]
    assert value_is_impossible(sodium, 1380) and not value_is_impossible(sodium, 138)
    assert not value_is_impossible(crp, 120)
    assert value_is_critical(potassium, 7.1) and not value_is_critical(potassium, 5.4)
    amoxicillin = bank.drugs["amoxicillin"]
    assert dose_is_wrong(amoxicillin, 5, "g") and dose_is_wrong(amoxicillin, 5000, "mg")
    assert not dose_is_wrong(amoxicillin, 0.5, "g") and not dose_is_wrong(amoxicillin, 5, "units")
    order = Medication(
        drug="amoxicillin", dose=500, unit="mg", route="by mouth", frequency="every 8 hours", treats="pneumonia"
    )
    assert wrong_doses(amoxicillin, order) == [10.0, 0.1]


def test_a_decimal_shift_that_stays_plausible_is_not_determinable() -> None:
    pairs = [
        error_correction.simulated_problem(case, case.rng(f"test {i}")) for case in all_cases("train") for i in range(3)
    ]
    hidden = [pair for pair in pairs if pair.kind == "error/decimal_shift" and not pair.determinable]
    for pair in hidden:
        assert pair.label == "flag_lab_value" and pair.before != pair.after
    assert hidden


def test_decimal_points_move_by_one_place() -> None:
    assert shift_decimal(4.1, 1, True) == "41"
    assert shift_decimal(4.1, 1, False) == "0.41"
    assert shift_decimal(138, 0, True) == "1380"


def test_critical_values_lie_beyond_the_limit() -> None:
    rng = random.Random(0)
    plausible = Range(low=1, high=12)
    values = [value_beyond_limit((2.5, 6.5), plausible, rng, subtle=False) for _ in range(200)]
    assert all(1 < value < 2.5 or 6.5 < value < 12 for value in values)
    assert {value < 2.5 for value in values} == {True, False}
    with pytest.raises(LeftOut, match="critical limit"):
        value_beyond_limit((None, None), plausible, rng, subtle=False)


def test_names_inside_sentences() -> None:
    assert [spoken(n) for n in ("Chest X-ray", "MRI of the spine", "HbA1c", "Murphy's sign")] == [
        "chest X-ray", "MRI of the spine", "HbA1c", "Murphy's sign",
    ]  # fmt: skip


def test_harmless_allergens_have_the_frequencies_of_the_conflicts() -> None:
    matched = matched_allergens()
    ids = list(matched.targets)
    conflicts = np.array([matched.conflicting[i] for i in ids])
    harmless = np.array([matched.harmless[i] for i in ids])
    assert np.allclose(harmless.sum(1), 1) and np.allclose(conflicts.sum(1), 1)
    assert (harmless * conflicts == 0).all()


def test_allergens_that_cannot_be_matched_are_refused() -> None:
    conflicts, allowed = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="cannot be matched"):
        fit_harmless(conflicts, allowed, np.ones(2))


def test_harmless_allergens_of_two_conditions_exchange_their_names() -> None:
    harmless, weights = fit_harmless(np.eye(2), 1 - np.eye(2), np.ones(2))
    assert np.allclose(harmless, 1 - np.eye(2), atol=1e-3) and np.allclose(weights, 1, atol=0.05)


def test_a_kind_that_a_case_does_not_allow_gives_way_to_the_next() -> None:
    case = case_of("community_acquired_pneumonia")

    def make(kind: str) -> Problem:
        if kind != "error/sex":
            raise LeftOut(f"no {kind.split('/')[1]}")
        return Problem(kind, "flag_identity", case.base_scene, "intro", "an_age", "another")

    assert first_possible(["error/unit", "error/sex", "error/age"], make).family == "error"
    with pytest.raises(LeftOut, match="error/unit: no unit; error/age: no age"):
        first_possible(["error/unit", "error/age"], make)


def test_hard_cases_keep_their_evidence_apart() -> None:
    case = case_of("community_acquired_pneumonia", 1, "hard")
    assert case.is_hard and not case_of("community_acquired_pneumonia").is_hard
