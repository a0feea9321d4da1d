"""Naive policies: what one scores without reading the case."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bsft.bench.audit.corpus import Corpus, Row
from bsft.bench.audit.intervals import CaseBootstrap, Estimate
from bsft.bench.records import Metric


@dataclass(frozen=True)
class Habits:
    """What a policy may know: how often each label and each position was right in training."""

    labels: Counter[str]
    positions: Counter[int]


@dataclass(frozen=True)
class Outcome:
    """A policy's score on a task."""

    task: str
    policy: str
    metric: Metric
    estimate: Estimate
    n: int


Policy = Callable[[Row, Habits, Sequence[int]], int]
"""An item, habits, and the characters of its options -> index of an option."""


def _commonest(row: Row, among: Sequence[int], habits: Habits) -> int:
    return max(among, key=lambda i: (habits.labels[row.replies[i].label], -i))


def _majority(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    """The commonest label; where labels tell nothing, the first option."""
    return _commonest(row, range(len(row.replies)), habits) if len(habits.labels) > 1 else 0


def _random(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    return random.Random(row.id).randrange(len(row.replies))


def _always_flag(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    flags = [i for i, reply in enumerate(row.replies) if reply.flag]
    return _commonest(row, flags, habits) if flags else 0


def _never_flag(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    return next((i for i, reply in enumerate(row.replies) if not reply.flag), 0)


def _position(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    return max(range(len(row.replies)), key=lambda i: (habits.positions[i], -i))


def _shortest(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    return min(range(len(row.replies)), key=lambda i: characters[i])


def _longest(row: Row, habits: Habits, characters: Sequence[int]) -> int:
    return max(range(len(row.replies)), key=lambda i: characters[i])


POLICIES: Mapping[str, Policy] = {
    "majority": _majority,
    "random": _random,
    "always flag": _always_flag,
    "never flag": _never_flag,
    "commonest position": _position,
    "shortest option": _shortest,
    "longest option": _longest,
}


def try_policies(corpus: Corpus, task: str, bootstrap: CaseBootstrap) -> Iterator[Outcome]:
    """Scores of all policies on all items of a task, which learn their habits from `train` where there is one."""
    rows = corpus.of_task(task)
    training = [row for row in rows if row.split == "train"] or rows
    habits = Habits(Counter(row.label for row in training), Counter(row.gold for row in training))
    cases = [row.case_id for row in rows]
    metric = corpus.tasks[task].metric
    labels = sorted({reply.label for row in rows for reply in row.replies})
    index = {label: i for i, label in enumerate(labels)}
    gold = np.array([index[row.label] for row in rows])
    for name, policy in POLICIES.items():
        chosen = [policy(row, habits, [len(corpus.texts[reply.text]) for reply in row.replies]) for row in rows]
        predicted = np.array([index[row.replies[i].label] for row, i in zip(rows, chosen, strict=True)])
        if metric == "accuracy":
            estimate = bootstrap.share(predicted == gold, cases)
        else:
            estimate = bootstrap.macro_f1(predicted, gold, len(labels), cases)
        yield Outcome(task, name, metric, estimate, len(rows))
