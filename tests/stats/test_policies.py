"""Naive policies by hand: what one answers without reading the case."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from bsft.stats.policies import (
    POLICIES,
    SURFACE_POLICIES,
    Question,
    TrainingCounts,
    always_flag,
    majority,
    never_flag,
    uniform,
)

NONE = TrainingCounts()


@dataclass(frozen=True)
class Option:
    label: str
    flag: bool


def question(*options: tuple[str, bool], n_chars: tuple[int, ...] = (), id: str = "item") -> Question:
    return Question(id, [Option(*option) for option in options], n_chars)


def counts(**labels: int) -> TrainingCounts:
    return TrainingCounts(Counter(labels))


def test_majority_says_the_commonest_label() -> None:
    asked = question(("low", False), ("high", False), ("flag", True))
    assert majority(asked, counts(low=1, high=5)) == 1
    assert majority(asked, counts(low=5, high=5)) == 0, "the first of equals"
    assert majority(asked, counts(low=1, flag=2)) == 2
    assert majority(asked, NONE) == 0


def test_a_constant_gold_label_is_not_given_away() -> None:
    """The label `correct` would otherwise make majority a perfect policy."""
    assert majority(question(("distractor", False), ("correct", False)), counts(correct=9)) == 0


def test_always_flag_takes_the_commonest_flag() -> None:
    asked = question(("none", False), ("flag_a", True), ("flag_b", True))
    assert always_flag(asked, counts(flag_a=1, flag_b=2, none=9)) == 2
    assert always_flag(asked, counts(flag_a=2, flag_b=2)) == 1, "the first of equals"
    assert always_flag(asked, NONE) == 1


def test_never_flag_takes_the_first_other_option() -> None:
    assert never_flag(question(("flag", True), ("a", False), ("b", False)), NONE) == 1


def test_an_item_with_flags_only_or_none_has_an_answer_too() -> None:
    assert never_flag(question(("flag_a", True), ("flag_b", True)), NONE) == 0
    assert always_flag(question(("a", False), ("b", False)), NONE) == 0


def test_random_is_fixed_by_the_item_and_spread_over_the_options() -> None:
    asked = [question(("a", False), ("b", False), ("c", False), id=str(i)) for i in range(3000)]
    chosen = [uniform(one, NONE) for one in asked]
    assert chosen == [uniform(one, counts(a=3)) for one in asked]
    assert all(900 < n < 1100 for n in Counter(chosen).values()) and len(Counter(chosen)) == 3


@pytest.mark.parametrize(
    ("policy", "expected"), [("commonest_position", 2), ("shortest_option", 1), ("longest_option", 0)]
)
def test_the_surface_of_options(policy: str, expected: int) -> None:
    asked = question(("a", False), ("b", False), ("c", True), n_chars=(9, 4, 5))
    seen = TrainingCounts(positions=Counter({0: 1, 2: 3, 1: 2}))
    assert SURFACE_POLICIES[policy](asked, seen) == expected


def test_the_four_rows_of_every_table() -> None:
    assert list(POLICIES) == ["majority", "random", "always_flag", "never_flag"]
