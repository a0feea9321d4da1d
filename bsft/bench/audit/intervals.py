"""Areas under the ROC curve and shares with 95 % bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Cases = Sequence[str] | NDArray[np.str_]
"""The case of every unit."""
Statistic = Callable[[Floats], Floats]
"""Weights of units `(n_samples, n_units)` -> values `(n_samples,)`."""

_SAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Estimate:
    """A value and the limits of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class CaseBootstrap:
    """Resamples cases; all units of a case (items, pairs, options) stay together."""

    def __init__(self, n_samples: int, seed: int) -> None:
        self._n_samples = n_samples
        self._seed = seed

    def auroc(self, scores: Floats, positive: Booleans, cases: Cases) -> Estimate:
        """Probability that a positive unit scores above a negative one, ties counting half.

        Raises:
            ValueError: one of the two classes is missing.
        """
        if positive.all() or not positive.any():
            raise ValueError("an AUROC needs units of both classes")
        return self._estimate(_area_of(scores, positive), _indices(cases))

    def macro_f1(self, predicted: Integers, gold: Integers, n_labels: int, cases: Cases) -> Estimate:
        """Mean F1 over the labels that occur as gold; a prediction outside the label set is wrong (`n_labels`)."""
        of_unit = _indices(cases)
        cells = np.eye(n_labels * (n_labels + 1))[gold * (n_labels + 1) + predicted]

        def score(weights: Floats) -> Floats:
            confusion = (weights @ cells).reshape(-1, n_labels, n_labels + 1)
            hits = np.diagonal(confusion[:, :, :n_labels], axis1=1, axis2=2)
            support, guesses = confusion.sum(2), confusion[:, :, :n_labels].sum(1)
            f1 = np.where(support > 0, _divide(2 * hits, support + guesses), np.nan)
            return np.asarray(np.nanmean(f1, axis=1))

        return self._estimate(score, of_unit)

    def share(self, events: Booleans, cases: Cases) -> Estimate:
        """Share of units for which the event holds."""
        return self._estimate(lambda weights: (weights * events).sum(1) / weights.sum(1), _indices(cases))

    def _estimate(self, statistic: Statistic, of_unit: Integers) -> Estimate:
        n_cases = int(of_unit.max()) + 1
        rng = np.random.default_rng(self._seed)
        samples = []
        for start in range(0, self._n_samples, _SAMPLES_AT_ONCE):
            size = min(_SAMPLES_AT_ONCE, self._n_samples - start)
            weights = rng.multinomial(n_cases, np.full(n_cases, 1 / n_cases), size=size).astype(np.float64)
            samples.append(statistic(weights[:, of_unit]))
        value = float(statistic(np.ones((1, len(of_unit))))[0])
        low, high = np.nanpercentile(np.concatenate(samples), [2.5, 97.5])
        return Estimate(value, float(low), float(high))


def area(scores: Floats, positive: Booleans) -> float:
    """AUROC without an interval; NaN where one of the classes is missing."""
    return float(_area_of(scores, positive)(np.ones((1, len(scores))))[0])


def _area_of(scores: Floats, positive: Booleans) -> Statistic:
    """The area as a function of the units' weights."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    sign = positive[order]

    def weighted(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        up = np.add.reduceat(sorted_weights * sign, starts, axis=1)
        down = np.add.reduceat(sorted_weights * ~sign, starts, axis=1)
        below = np.cumsum(down, axis=1) - down
        return _divide((up * (below + down / 2)).sum(1), up.sum(1) * down.sum(1))

    return weighted


def _indices(cases: Cases) -> Integers:
    return np.asarray(np.unique(np.asarray(cases), return_inverse=True)[1], dtype=np.int64)


def _divide(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)
