"""Texts as a probe sees them, and as counts of words. A text is masked once; a document is the sum of its texts.

Case and punctuation are kept: editing shows in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from bsft.audit.corpus import CorpusItem

View = Literal["style", "words", "words and numbers"]
"""What a probe sees of a text: only how it is said, that and what is said about, or everything."""
Document = Sequence[int]
"""The texts that a document consists of, as places in the corpus's texts."""

FRAME_WORDS = frozenset({
    "i", "you", "he", "she", "it", "we", "they", "me", "him", "us", "them", "who", "which", "what", "whose", "that",
    "there", "here", "but", "so", "if", "because", "is", "are", "was", "were", "be", "been", "being", "am", "has",
    "have", "had", "having", "do", "does", "did", "doing", "will", "would", "can", "could", "might", "shall", "should",
    "must", "let", "please",
})  # fmt: skip
"""Words that stay where style is looked at. Articles, prepositions, possessives and what joins nouns go with the nouns
(a line is *in the* arm, a plaster *on the* arm); negations, comparisons, times and numbers say something too."""

_NUMERAL = re.compile(r"\d+(?:[.,:/]\d+)*")
_TOKEN = re.compile(
    r"(?P<word>[^\W_]+(?:[-/.,:^*][^\W_]+)*)|(?P<space>\s+)|(?P<stop>[.?!])|(?P<mark>[,;:()\"'’“”–—])|."
)
_ANALYSERS: Mapping[View, Mapping[str, Any]] = {
    "style": {"token_pattern": r"\w+|[^\w\s]|[^\S ]| {2,}", "ngram_range": (1, 3)},
    "words": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
    "words and numbers": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
}


def mask_numerals(text: str) -> str:
    """`BP 120/80 at 14:25` becomes `BP 0 at 0`."""
    return _NUMERAL.sub("0", text)


def mask_content(text: str) -> str:
    """`The side is left. aspirin 75 mg, please` becomes `X is x. x, please`.

    What is left is words that frame a statement, punctuation, spaces, and how a sentence begins. Whatever stands
    between two of them is one `x`, so that a name of three words looks like a name of one.
    """
    parts: list[str] = []
    starts, gap = True, ""
    for found in _TOKEN.finditer(text):
        token, kind = found.group(), found.lastgroup
        if kind == "space":
            gap = token
            continue
        if kind in ("stop", "mark") or token.lower() in FRAME_WORDS:
            parts += [gap, token]
        elif not (parts and parts[-1] in "xX" and len(gap) < 2):
            # a name such as pH or 3TC begins no sentence wrongly
            parts += [gap, "x" if not starts or token.islower() else "X"]
        starts, gap = kind == "stop", ""
    return "".join(parts) + gap


SHOWN: Mapping[View, Callable[[str], str]] = {"style": mask_content, "words": mask_numerals, "words and numbers": str}


class Texts:
    """Counted texts.

    Args:
        documents: all documents that will be asked for.
        view: words and pairs of words (of style: up to triples); none reaches beyond a text's end.
    """

    def __init__(self, texts: Sequence[str], documents: Sequence[Document], view: View) -> None:
        show = SHOWN[view]
        columns: dict[str, int] = {}
        self._column: dict[int, int] = {}
        for place in sorted({place for document in documents for place in document}):
            self._column[place] = columns.setdefault(show(texts[place]), len(columns))
        vectorizer = CountVectorizer(lowercase=False, dtype=np.float32, **_ANALYSERS[view])
        self._matrix = csr_matrix(vectorizer.fit_transform(columns))

    def counts(self, documents: Sequence[Document]) -> csr_matrix:
        """Counts `(n_documents, n_features)`."""
        columns = [self._column[place] for document in documents for place in document]
        starts = np.cumsum([0, *(len(document) for document in documents)])
        shape = (len(documents), self._matrix.shape[0])
        parts = csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts), shape=shape)
        return csr_matrix(parts @ self._matrix)


def size(texts: Sequence[str], document: Document) -> list[float]:
    """Characters, words and texts of a document, numerals masked: a value of more digits is no longer text."""
    shown = [mask_numerals(texts[place]) for place in document]
    return [float(sum(map(len, shown))), float(sum(len(text.split()) for text in shown)), float(len(shown))]


def scene(row: CorpusItem) -> Document:
    """Who speaks, and what they say."""
    return (*row.speakers, *row.turns)


def request_and_options(row: CorpusItem) -> Document:
    """Everything but the scene."""
    return (*(() if row.query is None else (row.query,)), *(option.text for option in row.options))
