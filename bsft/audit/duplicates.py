"""Scenes of different splits that are nearly the same: MinHash finds candidates, sets of word triples decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH

from bsft.audit.corpus import Corpus, Row
from bsft.audit.texts import mask_numerals

_N_PERMUTATIONS = 128
_SHINGLE_WORDS = 3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Duplicate:
    """The two most similar items of two cases in different splits."""

    first: str
    first_split: str
    second: str
    second_split: str
    jaccard: float
    exact: bool
    """The same but for numerals, case and punctuation."""


def find_duplicates(corpus: Corpus, max_jaccard: float, advance: Callable[[int], None]) -> list[Duplicate]:
    """Pairs of cases in different splits that have scenes more similar than `max_jaccard`, most similar first.

    Args:
        corpus: the benchmark.
        max_jaccard: share of common word triples.
        advance: is told of every scene that was looked up.
    """
    minhashes: dict[int, MinHash] = {}
    index = MinHashLSH(threshold=max_jaccard, num_perm=_N_PERMUTATIONS)
    best: dict[tuple[str, str], Duplicate] = {}
    for split in corpus.splits:
        hashed = [(row, _minhash(row.turns, corpus.texts, minhashes)) for row in distinct_scenes(corpus, split)]
        for row, minhash in hashed:
            for found in _compare(corpus, row, map(str, index.query(minhash)), max_jaccard):
                cases = corpus.by_id[found.first].case_id, row.case_id
                if cases not in best or best[cases].jaccard < found.jaccard:
                    best[cases] = found
            advance(1)
        for row, minhash in hashed:
            index.insert(row.id, minhash)
    return sorted(best.values(), key=lambda found: (-found.jaccard, found.first, found.second))


def distinct_scenes(corpus: Corpus, split: str) -> list[Row]:
    """The split's items, without those that repeat the scene of an earlier one."""
    return list({row.turns: row for row in reversed(corpus.rows) if row.split == split}.values())[::-1]


def shingles_of(text: str) -> frozenset[str]:
    """Word triples in lower case, numerals masked; a shorter text is one shingle."""
    words = _words(text)
    starts = range(max(1, len(words) - _SHINGLE_WORDS + 1))
    return frozenset(" ".join(words[i : i + _SHINGLE_WORDS]) for i in starts)


def _words(text: str) -> list[str]:
    return _WORD.findall(mask_numerals(text).lower())


def _minhash(turns: Sequence[int], texts: Sequence[str], known: dict[int, MinHash]) -> MinHash:
    """A scene's MinHash from those of its turns, each computed once."""
    for place in turns:
        if place not in known:
            known[place] = MinHash(_N_PERMUTATIONS)
            known[place].update_batch([shingle.encode() for shingle in shingles_of(texts[place])])
    return known[turns[0]] if len(turns) == 1 else MinHash.union(*(known[place] for place in turns))


def _compare(corpus: Corpus, row: Row, candidates: Iterable[str], max_jaccard: float) -> Iterator[Duplicate]:
    for candidate in sorted(candidates):
        other = corpus.by_id[candidate]
        own, theirs = _scene_shingles(corpus, row), _scene_shingles(corpus, other)
        jaccard = len(own & theirs) / len(own | theirs)
        if jaccard > max_jaccard:
            exact = jaccard == 1 and _scene_words(corpus, row) == _scene_words(corpus, other)
            yield Duplicate(other.id, other.split, row.id, row.split, jaccard, exact)


def _scene_shingles(corpus: Corpus, row: Row) -> frozenset[str]:
    return frozenset().union(*(shingles_of(corpus.texts[place]) for place in row.turns))


def _scene_words(corpus: Corpus, row: Row) -> list[str]:
    return [word for place in row.turns for word in _words(corpus.texts[place])]
