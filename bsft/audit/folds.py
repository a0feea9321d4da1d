"""On what a probe is fitted, and on what it is evaluated: never on the same case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold

from bsft.stats.arrays import Integers

N_FOLDS = 5
TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Design:
    """Pairs of (units to fit on, units to evaluate on), and the same in words."""

    folds: list[tuple[Integers, Integers]]
    words: str

    def of_parts(self, owner: Sequence[int]) -> Design:
        """The same design for parts of units (the twins of a pair, the options of an item).

        Args:
            owner: the unit to which each part belongs.
        """
        owners = np.asarray(owner)
        folds = [tuple(np.flatnonzero(np.isin(owners, units)) for units in fold) for fold in self.folds]
        return Design([(fit, held) for fit, held in folds], self.words)


def choose_design(splits: Sequence[str], cases: Sequence[str], min_test_units: int) -> Design | None:
    """Fits on `train` and evaluates on `test`; where `test` is small, cross-validates over all splits, cases whole.

    Args:
        splits: split of every unit.
        cases: case of every unit.
        min_test_units: below it, `test` is small.

    Returns:
        None where there are fewer than two cases.
    """
    of_split = np.asarray(splits)
    train, test = np.flatnonzero(of_split == TRAIN), np.flatnonzero(of_split == TEST)
    if len(train) and len(test) >= min_test_units:
        return Design([(train, test)], "fitted on train, evaluated on test")
    n_folds = min(N_FOLDS, len(set(cases)))
    if n_folds < 2:
        return None
    splitter = GroupKFold(n_folds)
    folds = [(fit, held) for fit, held in splitter.split(np.zeros(len(cases)), groups=np.asarray(cases))]
    return Design(folds, f"{n_folds}-fold cross-validation over all splits, cases whole")
