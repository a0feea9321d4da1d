"""Scenes of different splits that are nearly the same: they share most of their word triples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.limits import N_EXAMPLES, Check
from bsft.audit.texts import mask_numerals
from bsft.importing.near_duplicates import shingles, similar_sets, words

_SHINGLE_WORDS = 3


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
        advance: is called with 1 for every scene that was looked up.
    """

    @cache
    def of_turn(place: int) -> frozenset[str]:
        return shingles(mask_numerals(corpus.texts[place]), _SHINGLE_WORDS)

    def all_words(item: CorpusItem) -> list[str]:
        return [word for place in item.turns for word in words(mask_numerals(corpus.texts[place]))]

    items = [item for split in corpus.splits for item in distinct_scenes(corpus, split)]
    sets = (frozenset[str]().union(*map(of_turn, item.turns)) for item in items)
    best: dict[tuple[str, str], Duplicate] = {}
    splits = [item.split for item in items]
    for i, j, share in similar_sets(sets, max_jaccard, "of both", groups=splits, advance=advance):
        first, second = items[i], items[j]
        cases = first.case_id, second.case_id
        if share > max_jaccard and (cases not in best or share > best[cases].jaccard):
            exact = share == 1 and all_words(first) == all_words(second)
            best[cases] = Duplicate(first.id, first.split, second.id, second.split, share, exact)
    return sorted(best.values(), key=lambda found: (-found.jaccard, found.first, found.second))


def distinct_scenes(corpus: Corpus, split: str) -> list[CorpusItem]:
    """The split's items, without those that repeat the scene of an earlier one."""
    return list({item.turns: item for item in reversed(corpus.rows) if item.split == split}.values())[::-1]


def check_duplicates(duplicates: list[Duplicate], max_jaccard: float) -> Check:
    """Whether there are none, and what was found."""
    rule = f"scenes of different splits share at most {max_jaccard:.0%} of their word triples"
    if not duplicates:
        return Check("duplicates", "passed", f"{rule}: no pair shares more")
    first = duplicates[0]
    found = (
        f"{rule}: {len(duplicates):,} pairs of cases share more, {sum(d.exact for d in duplicates):,} of them all; "
        f"{first.first} ({first.first_split}) and {first.second} ({first.second_split}) share {first.jaccard:.0%}"
    )
    return Check("duplicates", "broken", found, tuple(f"{d.first} = {d.second}" for d in duplicates[:N_EXAMPLES]))
