"""Which cases exist, and which split each belongs to: decided before any item is made.

`test_heldout` has conditions, wordings and kinds of perturbation that no other split contains. `hard` has cases of its
own whose scenes are built to be hard; nothing is filtered by a model's mistakes.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from bsft.bench.bank.load import Bank
from bsft.bench.bank.schema import Condition
from bsft.bench.wordings import Edition

SHARES: Mapping[str, float] = {"train": 0.67, "val": 0.07, "test": 0.17, "test_heldout": 0.05, "hard": 0.04}
"""Every kind of problem has at least 200 pairs in the test split of the benchmark of the paper's size."""
LEVELS = (1, 2, 3, 4)
HANDLED_CONTROLS = Fraction(18_728, 6_876)
"""Controls per case whose problem somebody has dealt with. With eight answers and five pairs of twins, 6,876 cases have
exactly the 142,496 items of the paper's benchmark, and more than a third of the calm ones hold something alarming."""
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
    level: int
    n_handled: int
    """Controls among its items."""

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
    planned, first = {}, 0
    for split, count in counts.items():
        planned[split] = list(_deal(bank, split, range(first, first + count), seed, heldout))
        first += count
    return planned


def _deal(bank: Bank, split: str, numbers: range, seed: int, heldout: bool) -> Iterator[CasePlan]:
    rng = random.Random(f"{seed}/plan/{split}")
    conditions = [c for c in bank.conditions.values() if not heldout or is_heldout(c) == (split == "test_heldout")]
    pile: list[Condition] = []
    for index, number in enumerate(numbers):
        if not pile:
            pile = rng.sample(conditions, len(conditions))
        level = LEVELS[-1] if split == "hard" else LEVELS[index % len(LEVELS)]
        n_handled = int((number + 1) * HANDLED_CONTROLS) - int(number * HANDLED_CONTROLS)
        yield CasePlan(f"{split}-{index:05d}", split, pile.pop(), level, n_handled)
