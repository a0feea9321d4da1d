"""Intervals: every sample against scikit-learn on the drawn units, and what an interval has to be."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from bsft.stats.bootstrap import Bootstrap, CaseResamples, Estimate, interval95

N_CASES, N_UNITS = 12, 60
RNG = np.random.default_rng(0)
CASES = np.array([f"case{i}" for i in RNG.integers(0, N_CASES, N_UNITS)])
GOLD, PREDICTED = RNG.integers(0, 3, N_UNITS), RNG.integers(0, 4, N_UNITS)
SCORES, POSITIVE = RNG.integers(0, 8, N_UNITS).astype(float), RNG.random(N_UNITS) < 0.4
N_SAMPLES = 120
RESAMPLES = CaseResamples(CASES, N_SAMPLES, seed=5)


def drawn() -> list[list[int]]:
    """The units of every sample, by the same draws: cases are numbered by name."""
    names = sorted(set(CASES))
    draws = np.random.default_rng(5).multinomial(len(names), np.full(len(names), 1 / len(names)), size=N_SAMPLES)
    times = [dict(zip(names, row, strict=True)) for row in draws]
    return [[unit for unit, case in enumerate(CASES) for _ in range(of[case])] for of in times]


def test_every_sample_is_the_measure_of_the_drawn_units() -> None:
    f1, area, share = (
        RESAMPLES.macro_f1(GOLD, PREDICTED, 3, CASES),
        RESAMPLES.auroc(SCORES, POSITIVE, CASES),
        RESAMPLES.mean(POSITIVE, CASES),
    )
    assert f1.shape == area.shape == share.shape == (N_SAMPLES,)
    for i, units in enumerate(drawn()):
        gold, predicted = GOLD[units], PREDICTED[units]
        expected = f1_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0)
        assert f1[i] == pytest.approx(expected)
        assert area[i] == pytest.approx(roc_auc_score(POSITIVE[units], SCORES[units]))
        assert share[i] == pytest.approx(POSITIVE[units].mean())


def test_a_sample_without_a_unit_has_no_value() -> None:
    only = np.flatnonzero(CASES[0] == CASES)
    found = RESAMPLES.mean(np.ones(len(only)), CASES[only])
    assert np.isnan(found).any() and np.nanmin(found) == np.nanmax(found) == 1
    assert interval95(found) == (1, 1)
    assert interval95(np.full(3, np.nan)) is None


def test_an_interval_is_two_percentiles() -> None:
    assert interval95(np.arange(1001.0)) == pytest.approx((25, 975))


def test_estimates_hold_the_value_of_all_units_and_the_interval_of_its_own_cases() -> None:
    bootstrap = Bootstrap(N_SAMPLES, seed=5)
    for found, value, samples in (
        (bootstrap.mean(POSITIVE, CASES), POSITIVE.mean(), RESAMPLES.mean(POSITIVE, CASES)),
        (
            bootstrap.auroc(SCORES, POSITIVE, CASES),
            roc_auc_score(POSITIVE, SCORES),
            RESAMPLES.auroc(SCORES, POSITIVE, CASES),
        ),
    ):
        assert (found.value, found.low, found.high) == pytest.approx((value, *np.percentile(samples, [2.5, 97.5])))
        assert found.low < found.value < found.high


def test_an_area_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        Bootstrap(20).auroc(SCORES, np.ones(N_UNITS, bool), CASES)


@pytest.mark.parametrize("measure", ["mean", "auroc", "paired_auc"])
def test_copies_of_a_cases_units_do_not_narrow_the_interval(measure: str) -> None:
    once = [str(i) for i in range(N_UNITS)]
    arguments = {
        "mean": (POSITIVE,),
        "auroc": (SCORES, POSITIVE),
        "paired_auc": (SCORES, SCORES[::-1]),
    }[measure]
    ask = getattr(Bootstrap(200), measure)
    single = ask(*arguments, once)
    tenfold = ask(*(np.tile(a, 10) for a in arguments), once * 10)
    assert (tenfold.low, tenfold.high) == pytest.approx((single.low, single.high))


def test_the_paired_area_by_hand() -> None:
    """Two pairs won, one tie, one lost; ten copies of the same case have no width."""
    problem, twin = np.array([2.0, 3.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])
    assert Bootstrap(50).paired_auc(problem, twin, list("abcd")).value == 2.5 / 4
    assert Bootstrap(50).paired_auc(problem, twin, ["a"] * 4) == Estimate(0.625, 0.625, 0.625, 0.0, 1)


def test_an_estimate_in_words() -> None:
    assert str(Estimate(0.5, 0.25, 0.75, 0.1, 20)) == "0.500 [0.250, 0.750]"


def test_a_lower_bound_holds_for_all_comparisons() -> None:
    """Student's t for 20 cases: 2.093 for one comparison (2.5 %), 2.861 for five (0.5 %)."""
    estimate = Estimate(0.7, 0.5, 0.9, 0.1, 20)
    assert estimate.lower_bound(1) == pytest.approx(0.7 - 0.2093, abs=1e-4)
    assert estimate.lower_bound(5) == pytest.approx(0.7 - 0.2861, abs=1e-4)
    assert Estimate(1.0, 1.0, 1.0, 0.0, 1).lower_bound(1) == -np.inf
