"""Finds the item that a user asks for: by id, by the beginning of an id, or at random."""

import difflib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from bsft.config import did_you_mean
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import Benchmark

RANDOM = "random"
_N_NAMED = 3


@dataclass(frozen=True)
class Found:
    """An item with its twin, if it has one and the benchmark has that one too."""

    item: Item
    twin: Item | None


def find_item(benchmark: Benchmark, wanted: str, *, split: str | None = None, seed: int = 0) -> Found:
    """
    Args:
        wanted: an id, a beginning that only one id has, `random`, or `random:TASK`.
        split: where to look; everywhere without it.
        seed: decides which item `random` is.

    Raises:
        BadInput: no such split, task or item (with the nearest ids), or several items whose ids begin with it.
    """
    if split is not None and split not in benchmark.splits:
        near = did_you_mean(split, benchmark.splits)
        raise BadInput(f"--split {split}: {benchmark.path} has {', '.join(benchmark.splits)}{near}")
    splits = benchmark.splits if split is None else [split]
    kind, colon, task = wanted.partition(":")
    if kind == RANDOM:
        item = _random_item(benchmark, splits, task if colon else None, seed)
    else:
        item = _named_item(benchmark, splits, wanted)
    twins = benchmark.items(item.split) if item.twin_id is not None else ()
    return Found(item, next((other for other in twins if other.id == item.twin_id), None))


def _random_item(benchmark: Benchmark, splits: Sequence[str], task: str | None, seed: int) -> Item:
    if task is not None and task not in benchmark.tasks:
        near = did_you_mean(task, list(benchmark.tasks))
        raise BadInput(f"{RANDOM}:{task}: {benchmark.path} has the tasks {', '.join(sorted(benchmark.tasks))}{near}")
    rng = random.Random(seed)
    chosen: Item | None = None
    n_seen = 0
    for item in chain.from_iterable(map(benchmark.items, splits)):
        if task is None or item.task == task:
            n_seen += 1
            # reservoir sampling: in one pass, each item is as likely as any other
            if rng.randrange(n_seen) == 0:
                chosen = item
    if chosen is None:
        raise BadInput(f"{benchmark.path}: no item of task {task} in {_splits_text(splits)}")
    return chosen


def _named_item(benchmark: Benchmark, splits: Sequence[str], wanted: str) -> Item:
    ids: list[str] = []
    matching: list[Item] = []
    for item in chain.from_iterable(map(benchmark.items, splits)):
        if item.id == wanted:
            return item
        ids.append(item.id)
        if item.id.startswith(wanted):
            matching.append(item)
    if len(matching) == 1:
        return matching[0]
    if matching:
        named = ", ".join(item.id for item in matching[:_N_NAMED])
        more = ", ..." if len(matching) > _N_NAMED else ""
        raise BadInput(f"{wanted}: {len(matching)} items begin with it: {named}{more}")
    nearest = difflib.get_close_matches(wanted, ids, n=_N_NAMED, cutoff=0.3)
    near = f"; nearest are {', '.join(nearest)}" if nearest else f"; {RANDOM} shows any"
    raise BadInput(f"{wanted}: no such item in {benchmark.path}, {_splits_text(splits)}{near}")


def _splits_text(splits: Sequence[str]) -> str:
    return f"split{'s' if len(splits) > 1 else ''} {', '.join(splits)}"
