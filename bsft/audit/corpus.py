"""A benchmark as the audit holds it: every distinct text once, items as small rows that point at texts.

And texts as a probe sees them, and as counts of words. A text is masked once; a document is the sum of its texts. Case
and punctuation are kept: editing shows in them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from bsft.records.numerals import mask_numerals
from bsft.records.schema import Group, Item, TaskSpec, Variant

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

_TOKEN = re.compile(
    r"(?P<word>[^\W_]+(?:[-/.,:^*][^\W_]+)*)|(?P<space>\s+)|(?P<stop>[.?!])|(?P<mark>[,;:()\"'’“”–—])|."
)
_ANALYSERS: Mapping[View, Mapping[str, Any]] = {
    "style": {"token_pattern": r"\w+|[^\w\s]|[^\S ]| {2,}", "ngram_range": (1, 3)},
    "words": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
    "words and numbers": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
}


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


# --- texts ---


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
