"""What a benchmark consists of: counts, places of edits, lengths of twins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.texts import scene


@dataclass(frozen=True)
class TaskCounts:
    """Counts of one task's items.

    Attributes:
        task: its name.
        splits: split -> items.
        labels: gold label -> items.
        variants: plain, perturbed, clean, distractor -> items.
        undeterminable: perturbed items whose problem cannot be determined.
        kinds: kind of perturbation -> perturbed items.
        loci: role of the speaker whose turn was edited -> perturbed items.
        last_turn: perturbed items whose edited turn is the last.
    """

    task: str
    splits: dict[str, int]
    labels: dict[str, int]
    variants: dict[str, int]
    undeterminable: int
    kinds: dict[str, int]
    loci: dict[str, int]
    last_turn: int


@dataclass(frozen=True)
class TwinLengths:
    """Characters of a task's twins, in the order of its pairs."""

    task: str
    perturbed: list[int]
    clean: list[int]

    @property
    def mean_difference(self) -> float:
        return float(np.mean(self.perturbed) - np.mean(self.clean))


def count_task(corpus: Corpus, task: str) -> TaskCounts:
    """Counts over all items of a task."""
    rows = corpus.of_task(task)
    edited = [(row, row.locus) for row in rows if row.locus is not None]
    return TaskCounts(
        task=task,
        splits=_counted(row.split for row in rows),
        labels=dict(sorted(_counted(row.label for row in rows).items())),
        variants=_counted(row.variant for row in rows),
        undeterminable=sum(row.determinable is False for row in rows),
        kinds=dict(sorted(_counted(row.kind for row in rows if row.kind is not None).items())),
        loci=_counted(row.roles[locus] for row, locus in edited if locus < len(row.roles)),
        last_turn=sum(locus == len(row.turns) - 1 for row, locus in edited),
    )


def twin_lengths(corpus: Corpus, task: str) -> TwinLengths:
    """Lengths of both twins of every pair."""

    def characters(row: CorpusItem) -> int:
        return sum(len(corpus.texts[place]) for place in scene(row))

    pairs = [pair for own in corpus.pairs(task).values() for pair in own]
    return TwinLengths(task, [characters(p.perturbed) for p in pairs], [characters(p.clean) for p in pairs])


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
