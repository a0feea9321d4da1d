"""The macro-F1 that words alone reach on each task's label set. No limit holds for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

import numpy as np

from bsft.audit.corpus import Corpus
from bsft.audit.folds import choose_design
from bsft.audit.learners import balanced_text_learner, predictions
from bsft.audit.probing import ProbeResult
from bsft.audit.texts import Document, Numerals, Texts, options, question, scene
from bsft.stats.arrays import label_indices
from bsft.stats.bootstrap import Bootstrap
from bsft.stats.measures import macro_f1

WHAT = "what is the label?"


def probe_labels(
    corpus: Corpus, task: str, scenes: Texts, numerals: Numerals, min_test_items: int, bootstrap: Bootstrap
) -> Iterator[ProbeResult]:
    """Macro-F1 of words of the scene, of the question and of the options over a task's label set."""
    rows = corpus.of_task(task)
    design = choose_design([row.split for row in rows], [row.case_id for row in rows], min_test_items)
    labels = sorted({row.label for row in rows})
    if design is None or len(labels) < 2:
        return
    gold = label_indices([row.label for row in rows], labels)
    chance = macro_f1(gold, np.full(len(rows), np.bincount(gold).argmax()), len(labels))
    parts: dict[str, list[Document]] = {
        "scene, words": [scene(row) for row in rows],
        "question": [question(row) for row in rows],
        "options": [options(row) for row in rows],
    }
    for name, documents in parts.items():
        if not any(documents):
            continue
        texts = scenes if name == "scene, words" else Texts(corpus.texts, documents, numerals, "words")
        found = predictions(balanced_text_learner, texts.counts(documents), gold, design)
        seen = found >= 0
        cases = [row.case_id for row in compress(rows, seen)]
        estimate = bootstrap.macro_f1(gold[seen], found[seen], len(labels), cases)
        yield ProbeResult(
            task, WHAT, name, numerals, "macro_f1", estimate, chance, int(seen.sum()), "items", design.words, False
        )
