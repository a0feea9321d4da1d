"""Two methods on the same items: is one better, or is it chance?"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, permutation_test

from bsft.stats.measures import Booleans, Floats

_FLIPS_AT_ONCE = 1000


@dataclass(frozen=True)
class PairedDifference:
    """The mean of first minus second, and how often chance gives one at least as far from zero (two-sided)."""

    mean: float
    p_value: float
    n_clusters: int


def sign_flip_test(
    first: Floats, second: Floats, clusters: Sequence[Hashable], *, n_flips: int = 9999, seed: int = 0
) -> PairedDifference:
    """Permutation test of a mean difference, in which a cluster's differences change their sign together.

    Without a difference between the methods each sign is as likely as the other. All flips are tried where there are at
    most `n_flips` of them; otherwise that many are drawn, and the observed one counts as another.

    Args:
        first: `(U,)` scores of one method, of items or of whatever is compared.
        second: `(U,)` scores of the other, for the same units in the same order.
        clusters: what each unit belongs to: its case, or (seed, case) where both methods ran with several seeds.

    Raises:
        ValueError: nothing to compare, or lengths differ.
    """
    if not len(first) == len(second) == len(clusters) > 0:
        raise ValueError(f"{len(first)} and {len(second)} scores with {len(clusters)} clusters cannot be compared")
    place: dict[Hashable, int] = {}
    index = [place.setdefault(cluster, len(place)) for cluster in clusters]
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    sums = np.bincount(index, differences)
    mean = float(differences.mean())
    # one cluster has two flips, both as far from zero
    if len(sums) == 1:
        return PairedDifference(mean, 1.0, 1)
    found = permutation_test(
        (sums,), np.mean, permutation_type="samples", vectorized=True, n_resamples=n_flips, batch=_FLIPS_AT_ONCE,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return PairedDifference(mean, float(found.pvalue), len(sums))


@dataclass(frozen=True)
class McNemar:
    """Items that only one of two methods answered rightly, and the p-value of the exact two-sided test."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Booleans, second: Booleans) -> McNemar:
    """The exact test on `(U,)` right answers of two methods; it takes items as independent, so clusters blur it."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    n = only_first + only_second
    return McNemar(only_first, only_second, float(binomtest(only_first, n, 0.5).pvalue) if n else 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p-values in the given order, which keep the family-wise error rate."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
