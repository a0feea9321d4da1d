"""Which items of a benchmark a job uses. Nothing is read for it but the benchmark's index."""

from __future__ import annotations

import random

import numpy as np

from bsft import config as cfg
from bsft.bench.records import Item
from bsft.bench.store import BadInput, Benchmark, Items
from bsft.methods import Method, choose_exemplars


def select_items(benchmark: Benchmark, split: str, data: cfg.DataConfig, limit: int | None) -> Items:
    """Items of a split, restricted to `data.tasks`, up to `limit`, by whole cases in a fixed shuffled order.

    Raises:
        BadInput: an unknown task, or nothing left.
    """
    if unknown := sorted(set(data.tasks) - set(benchmark.tasks)):
        raise BadInput(f"data.tasks: unknown {', '.join(unknown)}; {benchmark.path} has {', '.join(benchmark.tasks)}")
    index, rows = benchmark.index, benchmark.items(split).rows
    if data.tasks:
        rows = rows[index.task.rows_of(data.tasks)[rows]]
    if not len(rows):
        raise BadInput(f"{benchmark.path}: split {split} has no items" + (f" of {data.tasks}" if data.tasks else ""))
    rows = rows[np.argsort(index.case.codes[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(index.case.codes[rows], prepend=-1))
    cases = {index.case[own[0]]: own for own in np.split(rows, starts[1:])}
    order = sorted(cases)
    random.Random(0).shuffle(order)
    ends = np.cumsum([len(cases[case]) for case in order])
    n_cases = len(order) if limit is None else max(1, int(np.searchsorted(ends, limit, side="right")))
    return Items(benchmark, np.concatenate([cases[case] for case in order[:n_cases]]))


def exemplars_of(benchmark: Benchmark, config: cfg.Config, method: Method) -> list[Item]:
    """The training items that a few-shot method shows; none for other methods."""
    if not method.n_exemplars:
        return []
    data = config.data
    train = select_items(benchmark, data.train_split, data, data.max_train_items)
    place = {head.id: i for i, head in enumerate(train.heads())}
    return [train[place[head.id]] for head in choose_exemplars(train.heads(), method.n_exemplars, config.seed)]
