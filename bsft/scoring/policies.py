"""The naive rows that every table carries: what can be scored without reading the case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bsft.records.schema import Item
from bsft.records.store import Head
from bsft.scoring.metrics import Response
from bsft.stats.policies import Policy, Question, TrainingCounts

LabelCounts = Mapping[str, Counter[str]]
"""task -> gold label -> count, of the training split."""


def label_counts(train_items: Iterable[Head | Item]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for item in train_items:
        counts.setdefault(item.task, Counter())[item.label] += 1
    return counts


def responses_of(policy: Policy, items: Iterable[Item], counts: LabelCounts) -> list[Response]:
    """What a policy chooses for each item."""
    return [Response(item, policy(_question(item), TrainingCounts(counts.get(item.task, Counter())))) for item in items]


def _question(item: Item) -> Question:
    return Question(item.id, item.options, [len(option.text) for option in item.options])
