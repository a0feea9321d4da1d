"""Texts as counts of words and characters. Every distinct text is counted once; a scene is the sum of its turns.

Case and punctuation are kept: editing shows in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from bsft.audit.corpus import CorpusItem

Numerals = Literal["masked", "shown"]
Unit = Literal["words", "characters"]
Document = Sequence[int]
"""The texts that a document consists of, as places in the corpus's texts."""

_NUMERAL = re.compile(r"\d+(?:[.,:/]\d+)*")
_ANALYSERS: Mapping[Unit, Mapping[str, Any]] = {
    "words": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
    "characters": {"analyzer": "char", "ngram_range": (2, 5)},
}


def mask_numerals(text: str) -> str:
    """`BP 120/80 at 14:25` becomes `BP 0 at 0`."""
    return _NUMERAL.sub("0", text)


SHOWN: Mapping[Numerals, Callable[[str], str]] = {"masked": mask_numerals, "shown": str}
"""How texts are shown to a probe. An implausible number is a legitimate cue, so limits hold where they are masked."""


class Texts:
    """Counted texts.

    Args:
        texts: the corpus's texts.
        documents: all documents that will be asked for.
        numerals: whether numbers are shown or replaced by 0.
        unit: words and pairs of words, or sequences of two to five characters; neither reaches beyond a text's end.
    """

    def __init__(self, texts: Sequence[str], documents: Iterable[Document], numerals: Numerals, unit: Unit) -> None:
        show = SHOWN[numerals]
        columns: dict[str, int] = {}
        self._column: dict[int, int] = {}
        for place in sorted({place for document in documents for place in document}):
            self._column[place] = columns.setdefault(show(texts[place]), len(columns))
        vectorizer = CountVectorizer(lowercase=False, dtype=np.float32, **_ANALYSERS[unit])
        self._matrix = csr_matrix(vectorizer.fit_transform(columns))
        self.features: list[str] = [str(name) for name in vectorizer.get_feature_names_out()]

    def counts(self, documents: Sequence[Document]) -> csr_matrix:
        """Counts `(n_documents, n_features)`."""
        columns = [self._column[place] for document in documents for place in document]
        starts = np.cumsum([0, *(len(document) for document in documents)])
        shape = (len(documents), self._matrix.shape[0])
        parts = csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts), shape=shape)
        return csr_matrix(parts @ self._matrix)


class Sizes:
    """Characters and words of the corpus's texts."""

    def __init__(self, texts: Sequence[str], numerals: Numerals) -> None:
        show = SHOWN[numerals]
        self._sizes = np.array([(len(shown), len(shown.split())) for shown in map(show, texts)], dtype=np.float64)

    def of(self, document: Document) -> tuple[float, float]:
        characters, words = self._sizes[list(document)].sum(0) if document else (0.0, 0.0)
        return float(characters), float(words)


def scene(row: CorpusItem) -> Document:
    """Who speaks, and what they say."""
    return (*row.speakers, *row.turns)


def question(row: CorpusItem) -> Document:
    return () if row.query is None else (row.query,)


def options(row: CorpusItem) -> Document:
    return tuple(option.text for option in row.options)


def edited_turn(row: CorpusItem, locus: int) -> Document:
    """The turn at the locus of a pair, or nothing where this twin lacks it."""
    return (row.speakers[locus], row.turns[locus]) if locus < len(row.turns) else ()
