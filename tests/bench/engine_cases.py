"""Cases and items of the benchmark engine for its tests, made once a session."""

from __future__ import annotations

from functools import cache

from bsft.bench.bank.load import load_bank
from bsft.bench.casefile import CaseFile, open_case
from bsft.bench.foils import load_foils
from bsft.bench.records import Item
from bsft.bench.splits import EDITIONS
from bsft.bench.tasks import items_of
from bsft.bench.wordings import load_words

SEED = 3


def case_of(condition_id: str, number: int = 0, split: str = "train") -> CaseFile:
    bank = load_bank()
    return open_case(
        bank, load_words(), load_foils(), bank.conditions[condition_id],
        case_id=f"{condition_id}-{number}", edition=EDITIONS[split], split=split, seed=SEED,
    )  # fmt: skip


@cache
def all_cases(split: str = "train") -> tuple[CaseFile, ...]:
    """A case of every condition, and two for training."""
    numbers = range(2 if split == "train" else 1)
    return tuple(case_of(c, number, split) for c in load_bank().conditions for number in numbers)


@cache
def items_by_case(split: str = "train") -> dict[str, tuple[Item, ...]]:
    return {case.case.id: tuple(items_of(case)) for case in all_cases(split)}


@cache
def all_items(split: str = "train") -> tuple[Item, ...]:
    return tuple(item for items in items_by_case(split).values() for item in items)


def item_of(case: CaseFile, task: str) -> Item:
    """The first item of a task in a case."""
    return next(item for item in items_by_case(case.split)[case.case.id] if item.task == task)


def twins(split: str = "train") -> list[tuple[Item, Item]]:
    """(perturbed, clean) pairs."""
    by_id = {item.id: item for item in all_items(split)}
    return [(i, by_id[i.twin_id]) for i in by_id.values() if i.variant == "perturbed" and i.twin_id is not None]
