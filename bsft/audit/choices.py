"""Probes of options: can the right one be told without the case?

Where gold is a flag, the question is which of the flags is right; elsewhere, which of the other options is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bsft.audit.corpus import Corpus, Reply, Row
from bsft.audit.folds import choose_design
from bsft.audit.learners import category_learner, size_learner
from bsft.audit.probes import probe_words
from bsft.audit.puzzles import Probe, Puzzle
from bsft.audit.texts import Numerals, Sizes
from bsft.stats.bootstrap import Bootstrap

WHICH = "is this the right option?"


@dataclass(frozen=True)
class Choices:
    """The options of a task among which the right one is looked for, and the puzzle that they pose."""

    options: list[tuple[Row, int]]
    """An item and the index of one of its options."""
    puzzle: Puzzle

    @property
    def replies(self) -> list[Reply]:
        return [row.replies[i] for row, i in self.options]


def choices_of(corpus: Corpus, task: str, min_test_items: int, bootstrap: Bootstrap) -> Choices | None:
    """The task's choices; None where no item leaves one, or there are too few to fit anything."""
    candidates = [(row, _candidates(row)) for row in corpus.of_task(task)]
    candidates = [(row, own) for row, own in candidates if len(own) > 1]
    cases = [row.case_id for row, _ in candidates]
    design = choose_design([row.split for row, _ in candidates], cases, min_test_items)
    if design is None:
        return None
    owner = [i for i, (_, own) in enumerate(candidates) for _ in own]
    options = [(row, i) for row, own in candidates for i in own]
    puzzle = Puzzle(
        task, WHICH, "items", owner, np.array([i == row.gold for row, i in options]), [cases[i] for i in owner],
        [None] * len(options), design.of_parts(owner), bootstrap,
    )  # fmt: skip
    return Choices(options, puzzle)


def probe_positions(choices: Choices, *, labels: bool) -> Iterator[Probe]:
    """Probes that see an option's place, or only its label where labels differ in frequency."""
    places = np.array([[str(i), str(len(row.replies))] for row, i in choices.options])
    yield choices.puzzle.attempt("option position", category_learner, places)
    if labels:
        names = np.array([[reply.label] for reply in choices.replies])
        yield choices.puzzle.attempt("option label", category_learner, names, binding=False)


def probe_option_texts(choices: Choices, corpus: Corpus, numerals: Numerals) -> Iterator[Probe]:
    """Probes that see an option's length beside that of the others, or its words."""
    sizes = Sizes(corpus.texts, numerals)
    lengths = np.array([_lengths(row, i, sizes) for row, i in choices.options])
    yield choices.puzzle.attempt("option length", size_learner, lengths, numerals=numerals)
    documents = [(reply.text,) for reply in choices.replies]
    yield from probe_words(choices.puzzle, "option words", documents, corpus, numerals, binding=False)


def _candidates(row: Row) -> list[int]:
    """Options of the gold option's sort: flags where gold is a flag, and the others elsewhere."""
    return [i for i, reply in enumerate(row.replies) if reply.flag == row.flagged]


def _lengths(row: Row, option: int, sizes: Sizes) -> list[float]:
    """Characters, the same less the mean of the alternatives, and how many alternatives are shorter."""
    own = [sizes.of((row.replies[i].text,))[0] for i in _candidates(row)]
    length = sizes.of((row.replies[option].text,))[0]
    return [length, length - sum(own) / len(own), float(sum(other < length for other in own))]
