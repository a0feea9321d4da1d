"""Twins, controls and the decisions of the oracle."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest
from engine_cases import all_items, twins

from bsft.bench.bank.load import load_bank
from bsft.bench.bank.schema import Range
from bsft.bench.left_out import LeftOut
from bsft.bench.oracle import (
    allergy_conflict,
    contraindicated,
    dose_is_wrong,
    takes_no_tablets,
    value_is_critical,
    value_is_impossible,
)
from bsft.bench.problem import shift_decimal, value_beyond_limit
from bsft.bench.spoken import spoken
from bsft.bench.tasks import ALERTING
from bsft.bench.wordings import load_words

KINDS = {kind.name: kind for module in ALERTING for kind in module.KINDS}


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


@pytest.mark.parametrize("split", ["train", "test", "hard"])
def test_every_kind_occurs(split: str) -> None:
    found = {item.perturbation.kind for item in all_items(split) if item.perturbation}
    assert found == KINDS.keys()


def test_every_case_has_five_pairs_of_different_kinds() -> None:
    by_case: dict[str, list[str]] = defaultdict(list)
    for perturbed, _ in twins():
        assert perturbed.perturbation is not None
        by_case[perturbed.case_id].append(perturbed.perturbation.kind)
    assert {len(kinds) for kinds in by_case.values()} == {5}
    assert all(len(set(kinds)) == 5 for kinds in by_case.values())


def test_every_problem_is_raised_by_its_label_and_on_its_track() -> None:
    for perturbed, clean in twins():
        assert perturbed.perturbation is not None
        kind = KINDS[perturbed.perturbation.kind]
        assert (perturbed.label, perturbed.track, perturbed.gold_behavior) == (kind.label, kind.track, "proactive")
        assert (clean.label, clean.track, clean.gold_behavior) == ("no_flag", kind.track, "reactive")


def test_all_replies_do_the_same_errand_and_concerns_share_their_opener() -> None:
    for perturbed, _ in twins():
        [errand] = [option.text for option in perturbed.options if not option.flag]
        concerns = [option.text.removeprefix(errand) for option in perturbed.options if option.flag]
        assert all(option.text.startswith(f"{errand} ") for option in perturbed.options if option.flag)
        openers = {concern.partition(": ")[0] for concern in concerns}
        assert len(openers) == 1, (perturbed.id, openers)


def test_both_pieces_of_evidence_are_named_by_the_right_concern() -> None:
    """What the edit put in is said in the concern, in the words or the number of the scene."""
    named = 0
    pairs = [pair for pair, _ in twins() if pair.perturbation is not None]
    for item in pairs:
        assert item.perturbation is not None
        after = set(re.findall(r"[a-z]{4,}|[0-9][0-9.,]*", item.perturbation.after.lower()))
        named += bool(after & set(re.findall(r"[a-z]{4,}|[0-9][0-9.,]*", item.gold.text.lower())))
    assert named > 0.75 * len(pairs), named / len(pairs)


def test_about_a_quarter_of_the_alerts_are_unprompted() -> None:
    items = [item for item in all_items() if item.group == "proactive"]
    assert 0.2 <= sum(item.query is None for item in items) / len(items) < 0.35


def test_requests_and_their_replies_are_about_what_was_said() -> None:
    requests = {request.id: request for request in load_words().requests}
    assert requests["laboratory_insight"].replies({"intro"}) == []
    everything = requests["timeline"].replies({"story", "background", "examination"})
    assert set(requests["timeline"].replies({"intro"})) < set(everything) == set(requests["timeline"].reply)
    for item in all_items():
        if item.group == "proactive" and re.search(r"\bbloods|laboratory table", item.query or ""):
            assert any(turn.speaker == "Laboratory" for turn in item.turns), item.id


def test_those_who_vomit_are_ordered_no_tablets_besides() -> None:
    bank = load_bank()
    data = load_words().problems
    orders = [*(entry.order for entry in data.kidney), *(entry.order for entry in data.contraindications)]
    by_mouth = [order for order in orders if "by mouth" in order]
    ordered = 0
    for item in all_items():
        text = " ".join(turn.text for turn in item.turns).lower()
        given = [order for order in by_mouth if order.lower() in text]
        ordered += bool(given)
        assert not given or not takes_no_tablets(bank.conditions[item.case_id.rpartition("-")[0]]), item.id
    assert ordered > 20


def test_more_than_a_third_of_the_calm_items_hold_something_alarming() -> None:
    calm = [item for item in all_items() if item.group == "proactive" and item.label == "no_flag"]
    assert sum(item.variant == "distractor" for item in calm) > len(calm) / 3


def test_controls_hold_the_problem_and_somebody_who_deals_with_it() -> None:
    by_id = {item.id: item for item in all_items()}
    controls = [item for item in by_id.values() if item.variant == "distractor"]
    assert len(controls) > 100
    for control in controls:
        perturbed = by_id[control.id.replace("/handled", "/perturbed")]
        places = [
            i for i in range(len(control.turns)) if [*control.turns[:i], *control.turns[i + 1 :]] == perturbed.turns
        ]
        assert places, control.id
        assert control.label == "no_flag" and control.gold_behavior == "reactive"


def test_a_fifth_of_the_alerts_show_a_figure() -> None:
    items = [item for item in all_items() if item.group == "proactive"]
    assert sum(bool(item.images) for item in items) / len(items) > 0.2


def test_allergy_conflicts_are_conflicts_and_their_clean_twins_are_not() -> None:
    bank = load_bank()
    pairs = [pair for pair in twins() if pair[0].label == "flag_allergy"]
    assert len(pairs) > 10
    for perturbed, clean in pairs:
        assert perturbed.perturbation is not None
        locus = perturbed.perturbation.locus.turn
        said = " ".join(turn.text.lower() for i, turn in enumerate(clean.turns) if i != locus)
        drugs = [name for name in bank.drugs if name in said]
        forbidden = [
            any(allergy_conflict(bank, name, drugs) for name in bank.allergens if f"{name} (" in text)
            for text in (perturbed.perturbation.after, perturbed.perturbation.before)
        ]
        assert forbidden == [True, False], perturbed.id


def test_ambiguous_orders_fit_two_things_in_the_perturbed_twin_only() -> None:
    entries = load_words().problems.ambiguities
    for perturbed, _ in twins():
        if perturbed.perturbation is not None and perturbed.perturbation.kind.startswith("ambiguity/"):
            before, after = perturbed.perturbation.before, perturbed.perturbation.after
            assert any(" and ".join(pair) == after for entry in entries for pair in entry.shown), after
            assert any(" and ".join(pair) == before for entry in entries for pair in entry.clean), before


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
