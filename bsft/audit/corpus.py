"""A benchmark as the audit holds it: every distinct text once, items as small rows that point at texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bsft.records.schema import Group, Item, TaskSpec, Variant


@dataclass(frozen=True, slots=True)
class CorpusOption:
    """An option; `text` is its place in the corpus's texts."""

    text: int
    label: str
    flag: bool


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """An item; texts are given by their places in the corpus's texts."""

    id: str
    case_id: str
    twin_id: str | None
    task: str
    split: str
    label: str
    variant: Variant
    determinable: bool | None
    kind: str | None
    """Kind of the perturbation."""
    locus: int | None
    """Index of the perturbed turn."""
    speakers: tuple[int, ...]
    turns: tuple[int, ...]
    roles: tuple[str, ...]
    query: int | None
    options: tuple[CorpusOption, ...]

    @property
    def gold(self) -> int:
        """Index of the gold option."""
        return next(i for i, option in enumerate(self.options) if option.label == self.label)

    @property
    def flagged(self) -> bool:
        """Whether the right option raises a concern."""
        return self.options[self.gold].flag


@dataclass(frozen=True, slots=True)
class Pair:
    """An item with a problem that must be flagged, and its clean twin."""

    perturbed: CorpusItem
    clean: CorpusItem

    @property
    def case_id(self) -> str:
        return self.perturbed.case_id

    @property
    def split(self) -> str:
        return self.perturbed.split


@dataclass(frozen=True)
class Corpus:
    """All items of a benchmark."""

    name: str
    tasks: Mapping[str, TaskSpec]
    texts: list[str]
    rows: list[CorpusItem]

    @cached_property
    def by_id(self) -> dict[str, CorpusItem]:
        return {row.id: row for row in self.rows}

    @cached_property
    def splits(self) -> list[str]:
        return list(dict.fromkeys(row.split for row in self.rows))

    @cached_property
    def cases(self) -> list[str]:
        return list(dict.fromkeys(row.case_id for row in self.rows))

    def of_task(self, task: str) -> list[CorpusItem]:
        return [row for row in self.rows if row.task == task]

    def groups(self, group: Group) -> list[str]:
        """Names of the group's tasks."""
        return [name for name, task in self.tasks.items() if task.group == group]

    def pairs(self, task: str) -> list[Pair]:
        """The task's twins, without those whose problem cannot be determined."""
        return [
            Pair(row, self.by_id[row.twin_id])
            for row in self.of_task(task)
            if row.variant == "perturbed" and row.flagged and row.twin_id in self.by_id
        ]

    def sampled(self, max_pairs: int, seed: int) -> Corpus:
        """Whole cases, the same for all tasks, until no task has more than about `max_pairs` pairs in a split."""
        order = sorted(self.cases, key=lambda case: random.Random(f"{seed} {case}").random())
        per_case: dict[tuple[str, str], int] = {}
        split_of: dict[str, str] = {}
        for row in self.rows:
            split_of[row.case_id] = row.split
            if row.variant == "perturbed":
                per_case[row.case_id, row.task] = per_case.get((row.case_id, row.task), 0) + 1
        taken: dict[tuple[str, str], int] = {}
        kept: set[str] = set()
        for case in order:
            split = split_of[case]
            if any(taken.get((split, task), 0) >= max_pairs for task in self.tasks):
                continue
            kept.add(case)
            for task in self.tasks:
                taken[split, task] = taken.get((split, task), 0) + per_case.get((case, task), 0)
        return Corpus(self.name, self.tasks, self.texts, [row for row in self.rows if row.case_id in kept])


def read_corpus(
    name: str, tasks: Mapping[str, TaskSpec], items: Iterable[Item], advance: Callable[[int], None] = lambda n: None
) -> Corpus:
    """Reads items into a corpus; `advance` is called for every item."""
    places: dict[str, int] = {}
    rows = []
    for item in items:
        rows.append(_row(item, lambda text: places.setdefault(text, len(places))))
        advance(1)
    return Corpus(name, tasks, list(places), rows)


def _row(item: Item, place: Callable[[str], int]) -> CorpusItem:
    perturbation = item.perturbation
    return CorpusItem(
        id=item.id,
        case_id=item.case_id,
        twin_id=item.twin_id,
        task=item.task,
        split=item.split,
        label=item.label,
        variant=item.variant,
        determinable=item.determinable,
        kind=perturbation.kind if perturbation else None,
        locus=perturbation.locus.turn if perturbation else None,
        speakers=tuple(place(turn.speaker) for turn in item.turns),
        turns=tuple(place(turn.text) for turn in item.turns),
        roles=tuple(turn.role for turn in item.turns),
        query=None if item.query is None else place(item.query),
        options=tuple(CorpusOption(place(option.text), option.label, option.flag) for option in item.options),
    )
