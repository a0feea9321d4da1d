"""A benchmark as the audit holds it: every distinct text once, items as small rows that point at texts."""

from __future__ import annotations

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
    level: int | None
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
    control: CorpusItem | None
    """The item in which the same problem has been dealt with: it has the twins' request and options."""


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

    def pairs(self, task: str) -> dict[str, list[Pair]]:
        """Kind of problem -> the task's twins, without those whose problem cannot be determined."""
        rows = self.of_task(task)
        controls = {_without_scene(row): row for row in rows if row.variant == "distractor"}
        pairs: dict[str, list[Pair]] = {}
        for row in rows:
            clean = self.by_id.get(row.twin_id or "")
            if row.variant == "perturbed" and row.kind is not None and row.flagged and clean is not None:
                pairs.setdefault(row.kind, []).append(Pair(row, clean, controls.get(_without_scene(row))))
        return dict(sorted(pairs.items()))


def _without_scene(row: CorpusItem) -> tuple[object, ...]:
    return row.case_id, row.query, row.options


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
        level=item.level,
        kind=perturbation.kind if perturbation else None,
        locus=perturbation.locus.turn if perturbation else None,
        speakers=tuple(place(turn.speaker) for turn in item.turns),
        turns=tuple(place(turn.text) for turn in item.turns),
        roles=tuple(turn.role for turn in item.turns),
        query=None if item.query is None else place(item.query),
        options=tuple(CorpusOption(place(option.text), option.label, option.flag) for option in item.options),
    )
