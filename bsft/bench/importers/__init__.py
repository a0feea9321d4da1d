"""Importers: somebody else's benchmark, read as its authors publish it, turned into items."""

from __future__ import annotations

from dataclasses import dataclass, field

from bsft.bench.records import Item, TaskSpec


@dataclass(frozen=True)
class ImportedBenchmark:
    """What an importer returns: items by split, the tasks they belong to, and what was repaired, dropped or noticed.

    `dropped` are those of the notes that say what was left out.
    """

    items: dict[str, list[Item]]
    tasks: list[TaskSpec]
    notes: list[str]
    dropped: list[str] = field(default_factory=list)
