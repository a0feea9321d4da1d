"""Paired tests by hand, and against scipy and an enumeration."""

from __future__ import annotations

from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from bsft.stats.comparison import McNemar, PairedDifference, holm, mcnemar, sign_flip_test


def test_all_better_in_five_cases_by_hand() -> None:
    """Of 32 flips, only none and all are as far from zero: 2 / 32."""
    found = sign_flip_test(np.array([1.0, 1, 1, 1, 1]), np.zeros(5), list("abcde"))
    assert (found.mean, found.n_clusters) == (1.0, 5)
    assert found.p_value == pytest.approx(2 / 32)


def test_a_difference_of_zero_is_chance() -> None:
    assert sign_flip_test(np.array([1.0, 0.0]), np.array([0.0, 1.0]), ["a", "b"]).p_value == 1


def test_a_cluster_changes_its_sign_as_a_whole() -> None:
    """Twenty items of one case tell no more than one: with four cases no p-value is below 2 / 16."""
    first, second = np.ones(80), np.zeros(80)
    cases = [f"case{i // 20}" for i in range(80)]
    assert sign_flip_test(first, second, cases).p_value == pytest.approx(2 / 16)
    assert sign_flip_test(first, second, range(80)).p_value < 0.001
    assert sign_flip_test(first, second, ["one"] * 80) == PairedDifference(1.0, 1.0, 1)


def test_seeds_and_cases_make_clusters() -> None:
    seeds_and_cases = [(seed, case) for seed in range(3) for case in "ab"]
    found = sign_flip_test(np.ones(6), np.zeros(6), seeds_and_cases)
    assert found.n_clusters == 6
    assert found.p_value == pytest.approx(2 / 64)


@pytest.mark.parametrize("seed", range(3))
def test_few_clusters_are_enumerated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, cases = rng.random(24), rng.random(24), [f"{i % 8}" for i in range(24)]
    sums = np.array([sum((first - second)[i::8]) for i in range(8)])
    flips = [abs(np.dot(signs, sums)) for signs in product((1, -1), repeat=8)]
    expected = np.mean([flip >= abs(sums.sum()) * (1 - 1e-12) for flip in flips])
    found = sign_flip_test(first, second, cases)
    assert found.p_value == pytest.approx(expected)
    assert found.mean == pytest.approx((first - second).mean())


def test_many_clusters_are_drawn_and_the_seed_fixes_them() -> None:
    """Thirty fair coins: the p-value of 20 heads is the binomial's, up to the error of 9,999 draws."""
    first, second = np.array([1.0] * 20 + [0.0] * 10), np.array([0.0] * 20 + [1.0] * 10)
    found = sign_flip_test(first, second, range(30), seed=3)
    assert found == sign_flip_test(first, second, range(30), seed=3)
    assert found.p_value == pytest.approx(binomtest(20, 30, 0.5).pvalue, abs=0.015)
    assert sign_flip_test(np.ones(30), np.zeros(30), range(30)).p_value == pytest.approx(2 / 10_000)


def test_nothing_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="0 and 0 scores with 0 clusters cannot be compared"):
        sign_flip_test(np.array([]), np.array([]), [])
    with pytest.raises(ValueError, match="3 and 2 scores with 3 clusters"):
        sign_flip_test(np.ones(3), np.ones(2), list("abc"))


def test_mcnemar_by_hand() -> None:
    """Six items differ, all for the first: 2 x (1/2)^6. Where none differs, nothing speaks against chance."""
    first = np.array([True] * 8 + [False] * 2)
    second = np.array([False] * 6 + [True] * 2 + [False] * 2)
    assert astuple(mcnemar(first, second)) == pytest.approx((6, 0, 2 / 64))
    assert astuple(mcnemar(second, first)) == pytest.approx((0, 6, 2 / 64))
    assert mcnemar(first, first) == McNemar(0, 0, 1.0)


def test_holm_by_hand() -> None:
    """The example of Holm's paper with four hypotheses: 4 x, 3 x, 2 x, 1 x the sorted values, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
