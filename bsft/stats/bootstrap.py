"""Intervals by bootstrap over cases: all units of a case (items, pairs, options) stay together.

A sample is how often each case was drawn, so that counts become a matrix product and areas take weights. The same
samples serve all tasks, for the interval of their mean; `scipy.stats.bootstrap` draws anew for every statistic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from bsft.stats.measures import Booleans, Floats, Integers, WeightedAuroc, auroc, divide, macro_f1_of, wins_over_twin

Cases = Sequence[str] | NDArray[np.str_]
"""The case of every unit."""

_SAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Estimate:
    """A value, the limits of its 95 % interval, its standard error, and the number of cases that it rests on."""

    value: float
    low: float
    high: float
    standard_error: float
    n_cases: int

    def lower_bound(self, n_comparisons: int) -> float:
        """Below which none of `n_comparisons` true values lies, with a probability of 97.5 % for all of them together.

        Bonferroni's correction: each gets its share of the error. So far out in the tail resamples say nothing, and the
        bound is that of Student's t with the bootstrap's standard error, which is wider where cases are few.
        """
        if self.n_cases < 2:
            return -np.inf
        return self.value - float(student_t.isf(0.025 / n_comparisons, self.n_cases - 1)) * self.standard_error

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval95(samples: Floats) -> tuple[float, float] | None:
    """The 2.5th and 97.5th percentiles of `(S,)` samples, NaNs left out; None where there is nothing else."""
    kept = samples[~np.isnan(samples)]
    if not len(kept):
        return None
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)


class CaseResamples:
    """Samples of some cases, the same for every measure that is asked of them, so that measures can be averaged."""

    def __init__(self, cases: Cases, n_samples: int, seed: int = 0) -> None:
        """
        Args:
            cases: the cases to draw from; repetitions count once.
        """
        self._names = np.unique(np.asarray(cases))
        n = len(self._names)
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_samples)
        # how often a sample holds a case; small numbers, kept small
        self._weights = draws.astype(np.uint16)

    def mean(self, values: Floats | Booleans, cases: Cases) -> Floats:
        """`(U,)` values -> `(S,)` means; NaN for a sample that holds no unit."""
        place = self._places(cases)
        sums = np.bincount(place, np.asarray(values, np.float64), len(self._names))
        hits, total = self._sums(np.stack([sums, np.bincount(place, minlength=len(self._names))], axis=1)).T
        return divide(hits, total)

    def macro_f1(self, gold: Integers, predicted: Integers, n_labels: int, cases: Cases) -> Floats:
        """`(S,)` of `measures.macro_f1`."""
        n, size = len(self._names), n_labels * (n_labels + 1)
        cell = gold * (n_labels + 1) + predicted
        counts = np.bincount(self._places(cases) * size + cell, minlength=n * size).reshape(n, size)
        return macro_f1_of(self._sums(counts).reshape(-1, n_labels, n_labels + 1))

    def auroc(self, scores: Floats, positive: Booleans, cases: Cases) -> Floats:
        """`(S,)` of `measures.auroc`."""
        area, place = WeightedAuroc(scores, positive), self._places(cases)
        return np.concatenate([area(weights[:, place]) for weights in self._blocks()])

    def _places(self, cases: Cases) -> Integers:
        return np.searchsorted(self._names, np.asarray(cases)).astype(np.int64)

    def _sums(self, of_case: Floats | Integers) -> Floats:
        """`(C, K)` sums over a case's units -> `(S, K)` over those of a sample."""
        values = of_case.astype(np.float64)
        return np.concatenate([weights @ values for weights in self._blocks()])

    def _blocks(self) -> Iterator[Floats]:
        """`(<= 50, C)` at a time: products in double precision without a copy of everything."""
        for start in range(0, len(self._weights), _SAMPLES_AT_ONCE):
            yield self._weights[start : start + _SAMPLES_AT_ONCE].astype(np.float64)


@dataclass(frozen=True)
class Bootstrap:
    """Estimates whose intervals come from resamples of the cases of the units in question."""

    n_samples: int
    seed: int = 0

    def mean(self, values: Floats | Booleans, cases: Cases) -> Estimate:
        """Of events: their share."""
        return _estimate(float(np.mean(values)), self._over(cases).mean(values, cases), cases)

    def auroc(self, scores: Floats, positive: Booleans, cases: Cases) -> Estimate:
        """
        Raises:
            ValueError: one of the two classes is missing.
        """
        if positive.all() or not positive.any():
            raise ValueError("an AUROC needs units of both classes")
        return _estimate(auroc(scores, positive), self._over(cases).auroc(scores, positive, cases), cases)

    def paired_auc(self, problem: Floats, twin: Floats, cases: Cases) -> Estimate:
        """Share of pairs in which the problem scores above its own twin, ties counting half."""
        return self.mean(wins_over_twin(problem, twin), cases)

    def _over(self, cases: Cases) -> CaseResamples:
        return _resamples(tuple(np.unique(np.asarray(cases)).tolist()), self.n_samples, self.seed)


@lru_cache(maxsize=8)
def _resamples(cases: tuple[str, ...], n_samples: int, seed: int) -> CaseResamples:
    """Drawn once for all that is asked of the same cases."""
    return CaseResamples(cases, n_samples, seed)


def _estimate(value: float, samples: Floats, cases: Cases) -> Estimate:
    low, high = interval95(samples) or (np.nan, np.nan)
    return Estimate(value, low, high, float(np.nanstd(samples)), len(np.unique(np.asarray(cases))))
