"""Cases and items of the benchmark engine for its tests, made once a session."""

from __future__ import annotations

from functools import cache

from bsft.bench.bank.load import load_bank
from bsft.bench.simulated.case import SimulatedCase, simulate_case
from bsft.bench.tasks import items_of
from bsft.records.schema import Item

SEED = 3
N_HANDLED = 3


def case_of(condition_id: str, number: int = 0, split: str = "train", level: int | None = None) -> SimulatedCase:
    """A case of a condition; levels take turns over the conditions where none is given."""
    bank = load_bank()
    level = level or 1 + (sorted(bank.conditions).index(condition_id) + number) % 4
    condition = bank.conditions[condition_id]
    return simulate_case(condition, case_id=f"{condition_id}-{number}", split=split, seed=SEED, level=level)


@cache
def all_cases(split: str = "train") -> tuple[SimulatedCase, ...]:
    """A case of every condition, and two for training."""
    numbers = range(2 if split == "train" else 1)
    found = tuple(case_of(c, number, split) for c in load_bank().conditions for number in numbers)
    assert found
    return found


@cache
def items_by_case(split: str = "train") -> dict[str, tuple[Item, ...]]:
    return {case.case.id: tuple(items_of(case, N_HANDLED)) for case in all_cases(split)}


@cache
def all_items(split: str = "train") -> tuple[Item, ...]:
    found = tuple(item for items in items_by_case(split).values() for item in items)
    assert found
    return found


def item_of(case: SimulatedCase, task: str) -> Item:
    """The first item of a task in a case."""
    return next(item for item in items_by_case(case.split)[case.case.id] if item.task == task)


def twins(split: str = "train") -> list[tuple[Item, Item]]:
    """(perturbed, clean) pairs."""
    by_id = {item.id: item for item in all_items(split)}
    found = [(i, by_id[i.twin_id]) for i in by_id.values() if i.variant == "perturbed" and i.twin_id is not None]
    assert found
    return found
