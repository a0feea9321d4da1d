"""Which split each case belongs to, decided before any item is made.

Cases with the same diagnosis, and cases that retell each other, stay in one split.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bsft.bench.recorded.naming import name_words
from bsft.importing.cases import near_duplicate_cases
from bsft.importing.near_duplicates import connected
from bsft.records.errors import BadInput
from bsft.records.schema import Case


@dataclass(frozen=True)
class Shares:
    """How cases are divided; test gets what train and val leave. Cases of one diagnosis stay together.

    Attributes:
        train: part of the cases for training.
        val: part for validation.
    """

    train: float = 0.7
    val: float = 0.1

    def __post_init__(self) -> None:
        for name in ("train", "val"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name}: found {getattr(self, name):g}, allowed: 0 to 1")
        if self.train + self.val > 1:
            raise BadInput(f"train, val: found {self.train:g} and {self.val:g}, allowed: together at most 1")

    def counts(self, n_cases: int) -> dict[str, int]:
        train, val = round(n_cases * self.train), round(n_cases * self.val)
        return {"train": train, "val": val, "test": n_cases - train - val}


def families(cases: Sequence[Case]) -> list[list[int]]:
    """Indices of cases that must stay together, as sets that share a diagnosis or a retold story."""
    first_of: dict[frozenset[str], int] = {}
    pairs = [(first_of.setdefault(frozenset(name_words(case.diagnosis)), i), i) for i, case in enumerate(cases)]
    pairs += [(i, j) for i, j, _ in near_duplicate_cases(cases)]
    return connected(len(cases), pairs)


def plan(cases: Sequence[Case], shares: Shares, seed: int) -> Mapping[str, list[Case]]:
    """Cases by split, each in the order of the source; a split without cases is absent."""
    left = shares.counts(len(cases))
    groups = families(cases)
    random.Random(f"{seed}/plan").shuffle(groups)
    split_of: dict[int, str] = {}
    for group in sorted(groups, key=len, reverse=True):
        # Large families first, each to the split that lacks most of its share.
        split = max(left, key=lambda name: left[name])
        left[split] -= len(group)
        split_of |= dict.fromkeys(group, split)
    by_split = {split: [case for i, case in enumerate(cases) if split_of[i] == split] for split in left}
    return {split: members for split, members in by_split.items() if members}
