"""Which cases exist, and which split each belongs to: decided before any item is made.

`test_heldout` has conditions, wordings and kinds of perturbation that no other split contains. `hard` has cases of its
own whose scenes are built to be hard; nothing is filtered by a model's mistakes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bsft.bench.bank.load import Bank
from bsft.bench.bank.schema import Condition
from bsft.bench.wordings import Edition

SHARES: Mapping[str, float] = {"train": 0.70, "val": 0.08, "test": 0.13, "test_heldout": 0.05, "hard": 0.04}
EDITIONS: Mapping[str, Edition] = {
    "train": "train", "val": "train", "test": "test", "hard": "test", "test_heldout": "heldout",
}  # fmt: skip

HELDOUT_SPECIALTIES = frozenset({"otolaryngology"})
HELDOUT_CONDITIONS = frozenset({
    "acute_gout", "croup", "pulmonary_embolism", "diabetic_ketoacidosis", "acute_pancreatitis",
})  # fmt: skip
"""Conditions held out beside those of the held-out specialty."""


@dataclass(frozen=True)
class CasePlan:
    """A case that is to be simulated."""

    case_id: str
    split: str
    condition: Condition

    @property
    def edition(self) -> Edition:
        return EDITIONS[self.split]


def is_heldout(condition: Condition) -> bool:
    return condition.specialty in HELDOUT_SPECIALTIES or condition.id in HELDOUT_CONDITIONS


def plan_cases(bank: Bank, n_cases: int, seed: int, *, heldout: bool = True) -> dict[str, list[CasePlan]]:
    """Cases by split. Conditions are dealt out evenly within a split, in a random order.

    Args:
        bank: the case bank.
        n_cases: number of cases over all splits; every split gets at least one.
        seed: decides the order of the conditions.
        heldout: whether to make `test_heldout` and to keep its conditions out of the other splits.
    """
    shares = {split: share for split, share in SHARES.items() if heldout or split != "test_heldout"}
    counts = {split: max(1, round(n_cases * share / sum(shares.values()))) for split, share in shares.items()}
    counts["train"] = max(1, n_cases - sum(count for split, count in counts.items() if split != "train"))
    return {split: list(_deal(bank, split, count, seed, heldout)) for split, count in counts.items()}


def _deal(bank: Bank, split: str, count: int, seed: int, heldout: bool) -> Iterator[CasePlan]:
    rng = random.Random(f"{seed}/plan/{split}")
    conditions = [c for c in bank.conditions.values() if not heldout or is_heldout(c) == (split == "test_heldout")]
    pile: list[Condition] = []
    for index in range(count):
        if not pile:
            pile = rng.sample(conditions, len(conditions))
        yield CasePlan(f"{split}-{index:05d}", split, pile.pop())
