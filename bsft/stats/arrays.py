"""What arrays are called here, and division and means where something may be missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def divide(a: Floats, b: Floats) -> Floats:
    """Elementwise; NaN where `b` is not positive."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)


def mean_of_known(values: Floats, axis: int) -> Floats:
    """The mean without the NaNs; NaN where there is nothing else."""
    return divide(np.nansum(values, axis=axis), np.sum(~np.isnan(values), axis=axis, dtype=np.float64))


def label_indices(values: Sequence[str | None], labels: Sequence[str]) -> Integers:
    """Each value's place among the labels; all others share one more, `len(labels)`."""
    place = {label: i for i, label in enumerate(labels)}
    return np.array([len(labels) if value is None else place.get(value, len(labels)) for value in values], np.int64)
