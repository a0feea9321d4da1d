"""Measures against values computed by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from bsft.stats.measures import auroc, label_indices, macro_f1, matthews, wins_over_twin

UNITS = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30)
ANSWERS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40)


def test_whatever_is_no_label_shares_one_index() -> None:
    assert label_indices(["b", "a", None, "x"], ["a", "b"]).tolist() == [1, 0, 2, 2]


@given(ANSWERS)
def test_macro_f1_is_scikit_learns(answers: list[tuple[int, int]]) -> None:
    gold, predicted = np.array(answers).T
    expected = f1_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0)
    assert macro_f1(gold, predicted, 3) == pytest.approx(expected, abs=1e-12)


def test_macro_f1_by_hand() -> None:
    """Label 0 has precision 1/2 and recall 1, label 1 has 1 and 1/2, label 2 is not in gold; 3 is no label."""
    assert macro_f1(np.array([0, 1, 1]), np.array([0, 0, 1]), 3) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert macro_f1(np.array([0, 1, 1]), np.array([0, 3, 1]), 3) == pytest.approx((1 + 2 / 3) / 2)


@given(ANSWERS)
def test_the_correlation_is_scikit_learns(answers: list[tuple[int, int]]) -> None:
    gold, predicted = np.array(answers).T
    found = matthews(gold, predicted)
    if len(set(gold)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(matthews_corrcoef(gold, predicted))


def test_the_correlation_by_hand() -> None:
    """Two hits, one miss, one false alarm, two rejections: (2 x 2 - 1 x 1) / 9."""
    gold, said = np.array([1, 1, 1, 0, 0, 0], bool), np.array([1, 1, 0, 1, 0, 0], bool)
    assert matthews(gold, said) == pytest.approx(3 / 9)


@given(UNITS)
def test_the_area_is_scikit_learns(units: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s / 7 for s, _ in units]), np.array([p for _, p in units])
    found = auroc(scores, positive)
    if len(set(positive.tolist())) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(positive, scores))


def test_the_area_by_hand() -> None:
    """Of the four pairs of a positive and a negative one, two are in order and one is a tie."""
    assert auroc(np.array([3.0, 1.0, 1.0, 2.0]), np.array([True, True, False, False])) == 2.5 / 4


def test_the_area_tells_scores_apart_that_a_sigmoid_would_not() -> None:
    assert auroc(np.array([-900.0, -901.0, 500.0, 501.0]), np.array([False, False, True, True])) == 1
    assert auroc(np.array([500.0, 501.0, 502.0, 503.0]), np.array([True, False, False, True])) == 0.5


def test_an_area_of_nothing_is_not_defined() -> None:
    assert np.isnan(auroc(np.array([]), np.array([], bool)))


def test_a_problem_wins_above_its_own_twin() -> None:
    """The cases differ by far more than the twins do: the paired area sees it, the plain one hardly does."""
    problem, twin = np.array([1.0, 11.0, 21.0, 30.0]), np.array([0.0, 10.0, 20.0, 30.0])
    assert wins_over_twin(problem, twin).tolist() == [1, 1, 1, 0.5]
    plain = auroc(np.r_[problem, twin], np.arange(8) < 4)
    assert plain == pytest.approx((1 + 2 + 3 + 3.5) / 16)
