"""Panels of right answers: frequencies, exclusions, and what the bank's own panels may not contain."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.simulated.answer_panels import (
    advice_panels,
    allergy_panels,
    deciding_allergens,
    diagnosis_panels,
    next_test_panels,
    reading_panels,
    treatment_panels,
)
from bsft.bench.simulated.panels import ANY_COMPLAINT, TOLERANCE, Answer, Panels, fit_panels, fit_weights
from bsft.bench.splits import is_heldout

ALL_PANELS = (diagnosis_panels, next_test_panels, treatment_panels, advice_panels)


def panels_of(closeness: np.ndarray, weights: list[float], size: int = 2) -> Panels:
    answers = [Answer(f"condition {i}", f"answer {i}", weight) for i, weight in enumerate(weights)]
    return fit_panels(answers, closeness, size, seed="test")


def test_given_a_panel_each_answer_is_right_equally_often() -> None:
    closeness = np.ones((6, 6)) - np.eye(6)
    closeness[0, 1] = closeness[1, 0] = 50.0
    panels = panels_of(closeness, [1.0] * 6, size=3)
    rng = random.Random(0)
    right: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    for _ in range(6000):
        for i in range(6):
            answer, others, complaint = panels.draw(f"condition {i}", rng)
            assert answer.text == f"answer {i}" and len(others) == 2 and complaint == ANY_COMPLAINT
            right[frozenset(a.text for a in (answer, *others))][answer.text] += 1
    assert len(right) == 20
    for panel, counts in right.items():
        assert set(counts) == panel
        assert max(counts.values()) - min(counts.values()) < 6 * counts.total() ** 0.5


def test_answers_that_are_right_more_often_are_in_more_panels() -> None:
    members = np.array([[0, 1], [0, 2], [1, 2]])
    weights = fit_weights(members, np.ones(3), np.array([2.0, 1.0, 1.0]))
    used = np.bincount(members.ravel(), np.repeat(weights, 2)) / 2
    assert used == pytest.approx([0.5, 0.25, 0.25], rel=TOLERANCE)


def test_answers_without_enough_others_are_refused() -> None:
    star = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"answers \[0, 1, 2\] have too few others to stand beside"):
        panels_of(star, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="no 3 of 3 answers can stand beside each other"):
        panels_of(star, [1.0, 1.0, 1.0], size=3)


@pytest.mark.parametrize("panels_of_bank", ALL_PANELS)
@pytest.mark.parametrize("heldout", [False, True])
def test_every_condition_has_panels_of_its_own_part_of_the_bank(
    panels_of_bank: Callable[[Bank, bool], Panels], heldout: bool
) -> None:
    bank = load_bank()
    panels = panels_of_bank(bank, heldout)
    for condition in bank.conditions.values():
        assert (condition.id in panels) == (is_heldout(condition) == heldout)
    assert panels.members
    for members in panels.members:
        answers = [panels.answers[i] for i in members]
        assert len({a.condition_id for a in answers}) == len({a.text for a in answers}) == 4


def test_interchangeable_answers_never_share_a_panel() -> None:
    bank = load_bank()
    for panels, pair in (
        (diagnosis_panels(bank, False), {"giant_cell_arteritis", "polymyalgia_rheumatica"}),
        (next_test_panels(bank, False), {"community_acquired_pneumonia", "copd_exacerbation"}),
        (treatment_panels(bank, False), {"gram_negative_urosepsis", "febrile_neutropenia"}),
        (treatment_panels(bank, False), {"giant_cell_arteritis", "immune_thrombocytopenia"}),  # both a corticosteroid
        (reading_panels(bank, False, "ecg"), {"rapid_atrial_fibrillation", "graves_thyrotoxicosis"}),
    ):
        assert panels is not None and pair <= {answer.condition_id for answer in panels.answers}
        assert not any(pair <= {panels.answers[i].condition_id for i in members} for members in panels.members)


def test_advice_on_one_topic_never_shares_a_panel() -> None:
    panels = advice_panels(load_bank(), False)
    assert sum("antibiotic" in answer.text for answer in panels.answers) > 1
    for members in panels.members:
        assert sum("antibiotic" in panels.answers[i].text for i in members) <= 1


def test_an_allergy_decides_between_two_treatments_without_touching_home_medicines() -> None:
    bank = load_bank()
    deciding = deciding_allergens(bank, "acute_cholecystitis")
    assert deciding == (("cephalosporins",), ("fluoroquinolones",))
    assert deciding_allergens(bank, "coeliac_disease") is None
    assert allergy_panels(bank, False).members
    for members in allergy_panels(bank, False).members:
        assert len(members) == 2
