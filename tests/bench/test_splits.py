"""Splits are made of cases before items exist."""

from __future__ import annotations

from collections import Counter

from bsft.bench.bank.load import load_bank
from bsft.bench.splits import SHARES, is_heldout, plan_cases


def test_shares_add_up_and_counts_follow_them() -> None:
    assert abs(sum(SHARES.values()) - 1) < 1e-9
    plans = plan_cases(load_bank(), 1000, 0)
    assert {split: len(cases) for split, cases in plans.items()} == {
        "train": 670, "val": 70, "test": 170, "test_heldout": 50, "hard": 40,
    }  # fmt: skip


def test_case_ids_are_unique_over_all_splits() -> None:
    ids = [plan.case_id for cases in plan_cases(load_bank(), 500, 0).values() for plan in cases]
    assert len(ids) == len(set(ids)) == 500


def test_held_out_conditions_are_in_their_split_only() -> None:
    bank = load_bank()
    heldout = {c.id for c in bank.conditions.values() if is_heldout(c)}
    assert 6 <= len(heldout) <= 14
    for split, cases in plan_cases(bank, 800, 0).items():
        found = {plan.condition.id for plan in cases}
        assert found <= heldout if split == "test_heldout" else not found & heldout


def test_without_holding_out_every_condition_is_trained() -> None:
    plans = plan_cases(load_bank(), 400, 0, heldout=False)
    assert "test_heldout" not in plans
    assert {plan.condition.id for plan in plans["train"]} == set(load_bank().conditions)


def test_the_paper_s_number_of_cases_has_its_number_of_items() -> None:
    plans = [plan for cases in plan_cases(load_bank(), 6876, 0).values() for plan in cases]
    assert sum(8 + 2 * 5 + plan.n_handled for plan in plans) == 142_496
    assert {plan.n_handled for plan in plans} == {2, 3}


def test_levels_are_dealt_evenly_and_hard_is_the_highest() -> None:
    planned = plan_cases(load_bank(), 1000, 0)
    assert {plan.level for plan in planned["hard"]} == {4}
    counts = Counter(plan.level for plan in planned["train"])
    assert set(counts) == {1, 2, 3, 4} and max(counts.values()) - min(counts.values()) <= 1


def test_conditions_are_dealt_evenly() -> None:
    cases = plan_cases(load_bank(), 1000, 0)["train"]
    counts = [sum(plan.condition.id == c for plan in cases) for c in {plan.condition.id for plan in cases}]
    assert max(counts) - min(counts) <= 1
