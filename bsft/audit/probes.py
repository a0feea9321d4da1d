"""Probes of the proactive tasks: can twins be told apart without understanding them?

The words of the edited turn alone are not binding, because the problem itself may show there; nor are all items
together, because controls hold the remark that a problem is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bsft.audit.corpus import Corpus, CorpusItem, Pair
from bsft.audit.folds import choose_design
from bsft.audit.learners import category_learner, difference_learner, differences, size_learner, text_learner
from bsft.audit.probing import ProbeResult, ProbingTask
from bsft.audit.texts import Document, Numerals, Sizes, Texts, Unit, edited_turn, options, question, scene
from bsft.stats.bootstrap import Bootstrap

ALONE = "does this twin need a flag?"
BETWEEN = "which of the twins needs the flag?"
ALL = "does this item need a flag, controls included?"
WHERE = "which turn was edited?"

SceneTexts = Mapping[Unit, Texts]
"""The scenes of all tasks, counted once."""


def count_scenes(corpus: Corpus, numerals: Numerals) -> SceneTexts:
    """Words of all scenes, and characters of those of twins."""
    twins = [row for task in corpus.groups("proactive") for p in corpus.pairs(task) for row in (p.perturbed, p.clean)]
    rows: dict[Unit, list[CorpusItem]] = {"words": corpus.rows, "characters": twins}
    return {unit: Texts(corpus.texts, map(scene, own), numerals, unit) for unit, own in rows.items() if own}


@dataclass(frozen=True)
class Twins:
    """A task's pairs and the probing tasks that they pose."""

    pairs: list[Pair]
    alone: ProbingTask
    between: ProbingTask
    where: ProbingTask

    @property
    def rows(self) -> list[CorpusItem]:
        """Perturbed, clean, perturbed, clean ..."""
        return [row for pair in self.pairs for row in (pair.perturbed, pair.clean)]


def twins_of(corpus: Corpus, task: str, min_test_pairs: int, bootstrap: Bootstrap) -> Twins | None:
    """The task's pairs; None where there are too few to fit anything.

    Args:
        corpus: holds the pairs.
        task: a proactive task.
        min_test_pairs: with fewer of them in the test split, all splits are cross-validated.
        bootstrap: makes the intervals.
    """
    pairs = corpus.pairs(task)
    design = choose_design([pair.split for pair in pairs], [pair.case_id for pair in pairs], min_test_pairs)
    if design is None:
        return None
    n = len(pairs)

    def probing(asks: str, owner: list[int], positive: list[bool]) -> ProbingTask:
        own = [pairs[i] for i in owner]
        return ProbingTask(
            task, asks, "pairs", owner, np.array(positive), [pair.case_id for pair in own],
            [pair.perturbed.kind for pair in own], design.of_parts(owner), bootstrap,
        )  # fmt: skip

    places = [(i, turn) for i, pair in enumerate(pairs) for turn in range(len(pair.perturbed.turns))]
    return Twins(
        pairs,
        alone=probing(ALONE, [i for i in range(n) for _ in range(2)], [True, False] * n),
        between=probing(BETWEEN, [*range(n), *range(n)], [True] * n + [False] * n),
        where=probing(WHERE, [i for i, _ in places], [pairs[i].perturbed.locus == turn for i, turn in places]),
    )


def probe_places(twins: Twins) -> Iterator[ProbeResult]:
    """Probes that see where the edit is, and no text."""
    loci = [(pair.perturbed.locus or 0, row) for pair in twins.pairs for row in (pair.perturbed, pair.clean)]
    places = [_place(row, turn) for pair in twins.pairs for row in [pair.perturbed] for turn in range(len(row.turns))]
    yield twins.alone.probe("place of the edit", category_learner, np.array([_place(row, i) for i, row in loci]))
    yield twins.where.probe("place of the turn", category_learner, np.array(places), binding=False)


def probe_texts(twins: Twins, corpus: Corpus, scenes: SceneTexts, numerals: Numerals) -> Iterator[ProbeResult]:
    """Probes that see the texts of twins, or their lengths."""
    rows = twins.rows
    sizes = Sizes(corpus.texts, numerals)
    lengths = np.array([_lengths(row, sizes) for row in rows])
    yield twins.alone.probe("lengths", size_learner, lengths, numerals=numerals)
    own_scenes = [scene(row) for row in rows]
    views = [(f"scene, {unit}", texts, texts.counts(own_scenes)) for unit, texts in scenes.items()]
    # Which words occur at all: statements that agree repeat a word, and those that do not have one each, which is a
    # contradiction itself, so these are not binding.
    views.append(("scene, presence of words", scenes["words"], scenes["words"].counts(own_scenes).sign()))
    for name, texts, counts in views:
        both_ways = differences(counts[0::2], counts[1::2])
        seen: dict[str, Any] = {"numerals": numerals, "names": texts.features, "binding": "presence" not in name}
        yield twins.alone.probe(name, text_learner, counts, **seen)
        yield twins.between.probe(name, difference_learner, both_ways, **seen)
    loci = [pair.perturbed.locus or 0 for pair in twins.pairs for _ in range(2)]
    parts: dict[str, list[Document]] = {
        "question": [question(row) for row in rows],
        "options": [options(row) for row in rows],
        "edited turn": [edited_turn(row, locus) for row, locus in zip(rows, loci, strict=True)],
    }
    for name, documents in parts.items():
        yield from probe_words(twins.alone, name, documents, corpus, numerals, binding=name != "edited turn")


def probe_all_items(
    corpus: Corpus, task: str, words: Texts, numerals: Numerals, min_test_pairs: int, bootstrap: Bootstrap
) -> Iterator[ProbeResult]:
    """Probes of all items of a task, which hold controls and undeterminable problems beside the twins."""
    rows = corpus.of_task(task)
    cases = [row.case_id for row in rows]
    design = choose_design([row.split for row in rows], cases, 2 * min_test_pairs)
    positive = np.array([row.flagged for row in rows])
    if design is None or positive.all() or not positive.any():
        return
    kinds = [None] * len(rows)
    probing = ProbingTask(task, ALL, "items", range(len(rows)), positive, cases, kinds, design, bootstrap)
    counts = words.counts([scene(row) for row in rows])
    names = words.features
    yield probing.probe("scene, words", text_learner, counts, numerals=numerals, binding=False, names=names)
    yield from probe_words(probing, "question", [question(row) for row in rows], corpus, numerals, binding=False)


def probe_words(
    probing: ProbingTask, name: str, documents: Sequence[Document], corpus: Corpus, numerals: Numerals, *, binding: bool
) -> Iterator[ProbeResult]:
    """A probe of the words of documents other than scenes; none where all documents are empty."""
    if any(documents):
        texts = Texts(corpus.texts, documents, numerals, "words")
        yield probing.probe(
            name, text_learner, texts.counts(documents), numerals=numerals, binding=binding, names=texts.features
        )


def _place(row: CorpusItem, turn: int) -> list[str]:
    """A turn's index from the start and from the end, and who speaks there."""
    role = row.roles[turn] if turn < len(row.roles) else "nobody"
    return [str(turn), str(len(row.turns) - turn), role]


def _lengths(row: CorpusItem, sizes: Sizes) -> list[float]:
    lengths = [sizes.of((option.text,))[0] for option in row.options]
    return [
        *sizes.of(scene(row)), float(len(row.turns)), *sizes.of(question(row)), sum(lengths), min(lengths), max(lengths)
    ]  # fmt: skip
