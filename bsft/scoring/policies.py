"""Naive policies, the rows every table carries: what one scores without reading the case."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from bsft.bench.records import Item
from bsft.bench.store import Head
from bsft.scoring.metrics import Outcome

LabelCounts = Mapping[str, Counter[str]]
"""task -> gold label -> count, of the training split."""
Policy = Callable[[Item, LabelCounts], int]


def label_counts(train_items: Iterable[Head | Item]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for item in train_items:
        counts.setdefault(item.task, Counter())[item.label] += 1
    return counts


def _commonest(item: Item, indices: Sequence[int], counts: LabelCounts) -> int:
    """The option whose label is most frequent in training, the first of equals."""
    own = counts.get(item.task, Counter())
    return max(indices, key=lambda i: (own[item.options[i].label], -i))


def majority(item: Item, counts: LabelCounts) -> int:
    """The commonest gold label of the task; where gold is constant, labels tell nothing, and it is the first option."""
    if len(counts.get(item.task, ())) < 2:
        return 0
    return _commonest(item, range(len(item.options)), counts)


def uniform(item: Item, counts: LabelCounts) -> int:
    """An option at random, fixed by the item's id."""
    return random.Random(item.id).randrange(len(item.options))


def always_flag(item: Item, counts: LabelCounts) -> int:
    """A flag whenever there is one: the commonest."""
    flags = [i for i, option in enumerate(item.options) if option.flag]
    return _commonest(item, flags, counts) if flags else 0


def never_flag(item: Item, counts: LabelCounts) -> int:
    """Never a flag: the first other option."""
    return next((i for i, option in enumerate(item.options) if not option.flag), 0)


POLICIES: dict[str, Policy] = {
    "majority": majority,
    "random": uniform,
    "always_flag": always_flag,
    "never_flag": never_flag,
}


def outcomes_of(policy: Policy, items: Iterable[Item], counts: LabelCounts) -> list[Outcome]:
    return [Outcome(item, policy(item, counts)) for item in items]
