"""Naive policies: what can be scored without reading the case."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Option(Protocol):
    """What a policy sees of an option."""

    @property
    def label(self) -> str: ...
    @property
    def flag(self) -> bool: ...


@dataclass(frozen=True)
class Question:
    """An item without its scene: an id, options, and the characters of each option."""

    id: str
    options: Sequence[Option]
    n_chars: Sequence[int]


@dataclass(frozen=True)
class TrainingCounts:
    """How often each label, and the option in each place, was right among a task's training items."""

    labels: Counter[str] = field(default_factory=Counter)
    positions: Counter[int] = field(default_factory=Counter)


Policy = Callable[[Question, TrainingCounts], int]
"""-> the index of an option."""


def _commonest(question: Question, among: Sequence[int], counts: TrainingCounts) -> int:
    """The option whose label is most frequent in training, the first of equals."""
    return max(among, key=lambda i: (counts.labels[question.options[i].label], -i))


def majority(question: Question, counts: TrainingCounts) -> int:
    """The commonest gold label; where gold is constant, labels say nothing, and it is the first option."""
    return _commonest(question, range(len(question.options)), counts) if len(counts.labels) > 1 else 0


def uniform(question: Question, counts: TrainingCounts) -> int:
    """An option at random, fixed by the item's id."""
    return random.Random(question.id).randrange(len(question.options))


def always_flag(question: Question, counts: TrainingCounts) -> int:
    """A flag whenever there is one: the commonest."""
    flags = [i for i, option in enumerate(question.options) if option.flag]
    return _commonest(question, flags, counts) if flags else 0


def never_flag(question: Question, counts: TrainingCounts) -> int:
    """Never a flag: the first other option."""
    return next((i for i, option in enumerate(question.options) if not option.flag), 0)


def commonest_position(question: Question, counts: TrainingCounts) -> int:
    return max(range(len(question.options)), key=lambda i: (counts.positions[i], -i))


def shortest_option(question: Question, counts: TrainingCounts) -> int:
    return min(range(len(question.options)), key=lambda i: question.n_chars[i])


def longest_option(question: Question, counts: TrainingCounts) -> int:
    return max(range(len(question.options)), key=lambda i: question.n_chars[i])


POLICIES: dict[str, Policy] = {
    "majority": majority,
    "random": uniform,
    "always_flag": always_flag,
    "never_flag": never_flag,
}
"""The rows of every table."""

SURFACE_POLICIES: dict[str, Policy] = {
    "commonest_position": commonest_position,
    "shortest_option": shortest_option,
    "longest_option": longest_option,
}
"""Those that look at the surface of options; an audit tries them too."""
