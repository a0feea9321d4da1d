"""Which items of a benchmark a job uses. Nothing is read for it but the benchmark's index."""

import hashlib
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bsft import config as cfg
from bsft.data.methods import Method
from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS, Group, Item
from bsft.records.store import Benchmark, Head, Items

HeadT = TypeVar("HeadT", Head, Item)


def select_items(benchmark: Benchmark, split: str, data: cfg.DataConfig, limit: int | None) -> Items:
    """Items of a split, restricted to `data.tasks` and `data.flags`, up to `limit`, by whole cases in a fixed shuffled
    order.

    Raises:
        BadInput: an unknown task or flag, or nothing left.
    """
    index, rows = benchmark.index, benchmark.items(split).rows
    restrictions = {"tasks": (data.tasks, benchmark.tasks), "flags": (data.flags, index.label.values)}
    for key, (wanted, known) in restrictions.items():
        if unknown := sorted(set(wanted) - set(known)):
            raise BadInput(f"data.{key}: unknown {', '.join(unknown)}; {benchmark.path} has {', '.join(sorted(known))}")
    if data.tasks:
        rows = rows[index.task.rows_of(data.tasks)[rows]]
    if data.flags:
        rows = rows[_answering_or_flagged(benchmark, data.flags)[rows]]
    if not len(rows):
        chosen = [f" of data.{key}={wanted}" for key, (wanted, _) in restrictions.items() if wanted]
        raise BadInput(f"{benchmark.path}: split {split} has no items" + " and".join(chosen))
    rows = rows[np.argsort(index.case.codes[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(index.case.codes[rows], prepend=-1))
    cases = {index.case[own[0]]: own for own in np.split(rows, starts[1:])}
    order = sorted(cases)
    random.Random(0).shuffle(order)
    ends = np.cumsum([len(cases[case]) for case in order])
    n_cases = len(order) if limit is None else max(1, int(np.searchsorted(ends, limit, side="right")))
    return Items(benchmark, np.concatenate([cases[case] for case in order[:n_cases]]))


def _answering_or_flagged(benchmark: Benchmark, flags: Sequence[str]) -> NDArray[np.bool_]:
    """`(N,)`: which items belong to no proactive task, or to a pair of which one twin's label is among `flags`."""
    index = benchmark.index
    proactive = index.task.rows_of(name for name, task in benchmark.tasks.items() if task.group == "proactive")
    flagged = index.label.rows_of(flags)
    in_pair = (index.twin >= 0) & (flagged | flagged[index.twin])
    return ~proactive | in_pair


def exemplars_of(benchmark: Benchmark, config: cfg.Config, method: Method) -> list[Item]:
    """The training items that a few-shot method shows; none for other methods."""
    if not method.n_exemplars:
        return []
    data = config.data
    train = select_items(benchmark, data.train_split, data, data.max_train_items)
    heads = list(train.heads())
    return [train[heads.index(head)] for head in choose_exemplars(heads, method.n_exemplars, config.seed)]


def choose_exemplars(train_items: Iterable[HeadT], k: int, seed: int) -> list[HeadT]:
    """Fixed exemplars from the training split, the same for every item that is scored.

    Groups take turns in spectrum order; each exemplar is of a task and a case not used before while there are any. A
    proactive exemplar is a perturbed item and is followed by its clean twin, which shows the same scene without a
    problem; the twin comes in addition to the `k`.

    Raises:
        BadInput: the training split has fewer suitable items than `k`.
    """
    pool: dict[Group, list[HeadT]] = {group: [] for group in BEHAVIORS}
    by_id: dict[str, HeadT] = {}
    for item in train_items:
        by_id[item.id] = item
        if item.variant == ("perturbed" if item.group == "proactive" else "plain"):
            pool[item.group].append(item)
    for items in pool.values():
        items.sort(key=lambda item: hashlib.sha256(f"{seed} {item.id}".encode()).digest())
    groups = [group for group in BEHAVIORS if pool[group]]
    chosen: list[HeadT] = []
    for i in range(k):
        if not groups or not (rest := pool[groups[i % len(groups)]]):
            raise BadInput(f"method.k={k}: the training split has only {len(chosen)} items that can serve as exemplars")
        chosen.append(rest.pop(_freshest(rest, chosen)))
    shown: list[HeadT] = []
    for item in chosen:
        shown.append(item)
        if item.twin_id is not None and item.twin_id in by_id:
            shown.append(by_id[item.twin_id])
    return shown


def _freshest(candidates: Sequence[HeadT], used: Sequence[HeadT]) -> int:
    tasks, cases = {item.task for item in used}, {item.case_id for item in used}
    return min(range(len(candidates)), key=lambda i: (candidates[i].task in tasks) + (candidates[i].case_id in cases))
