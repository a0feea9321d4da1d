"""Other people's cases, items and free text, read as their authors publish them and turned into our records.

Knows nothing of tokens or of models, and imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bsft.records.schema import Item, TaskSpec


@dataclass(frozen=True)
class ImportedBenchmark:
    """What an importer returns: items by split, the tasks they belong to, and what was repaired, dropped or noticed.

    `dropped` are those of the notes that say what was left out.
    """

    items: dict[str, list[Item]]
    tasks: list[TaskSpec]
    notes: list[str]
    dropped: list[str] = field(default_factory=list)
