"""Texts that are nearly the same: sets of word n-grams that share enough, found exactly.

Two sets whose overlap is at least a share of the smaller one have a member in common among the rarest of the smaller
one (the prefix filter of set-similarity joins), so only those are indexed: the common phrases of a corpus, which would
make every text a candidate for every other, are never looked at.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NEAR_DUPLICATE_SHARE = 0.4
"""Two cases are near-duplicates when they share this part of the shorter one's word 5-grams.

In MedErrBench-EN, boilerplate (a line of vital signs, "is brought to the emergency department because of") makes
unrelated notes share up to 0.35; rewritten versions of one note share 0.46 and more.
"""
CASE_WORDS = 5

Share = Literal["of the smaller", "of both"]
"""What is shared is counted against the smaller set (containment), or against both together (Jaccard)."""


def words(text: str) -> list[str]:
    """The text's words in lower case, without punctuation."""
    return re.findall(r"\w+", text.lower())


def shingles(text: str, n_words: int) -> frozenset[str]:
    """The text's word n-grams; a shorter text is one shingle."""
    found = words(text)
    return frozenset(" ".join(found[i : i + n_words]) for i in range(max(1, len(found) - n_words + 1)))


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yields (i, j, share) with i < j for every two cases' texts that are near-duplicates, in order of j, then i."""
    return similar_sets([shingles(text, CASE_WORDS) for text in texts], NEAR_DUPLICATE_SHARE)


def similar_sets(
    sets: Iterable[Collection[str]],
    min_share: float,
    share: Share = "of the smaller",
    *,
    groups: Sequence[Hashable] | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[int, int, float]]:
    """Yields (i, j, share) with i < j for every two sets that share at least `min_share`, in order of j, then i.

    Args:
        sets: none of them empty.
        min_share: above 0.
        groups: sets of one group are not compared with each other.
        advance: is called with 1 for every set that was compared.
    """
    ranked = _rarest_first(sets)
    indexed: dict[int, list[int]] = defaultdict(list)
    found = []
    for j in sorted(range(len(ranked)), key=lambda i: len(ranked[i])):
        own = set(ranked[j])
        for i in {i for member in ranked[j] for i in indexed.get(member, ())}:
            if groups is not None and groups[i] == groups[j]:
                continue
            common = sum(member in own for member in ranked[i])
            shared = common / (len(ranked[i]) if share == "of the smaller" else len(ranked[i]) + len(own) - common)
            if shared >= min_share:
                found.append((max(i, j), min(i, j), shared))
        # whatever comes later is at least as large: if it shares enough with this set, it holds one of these members
        least = math.ceil(min_share * len(own) - 1e-9)
        for member in ranked[j][: len(own) - least + 1]:
            indexed[member].append(j)
        advance(1)
    yield from ((i, j, shared) for j, i, shared in sorted(found))


def _rarest_first(sets: Iterable[Collection[str]]) -> list[list[int]]:
    """The sets with numbers for their members, those that few sets have first."""
    number: dict[str, int] = {}
    numbered = [[number.setdefault(member, len(number)) for member in members] for members in sets]
    frequency = Counter(member for members in numbered for member in members)
    rank = {member: place for place, member in enumerate(sorted(frequency, key=lambda m: (frequency[m], m)))}
    return [sorted(rank[member] for member in members) for members in numbered]


def connected(n: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """0 to n-1 in groups: two are in one group if pairs lead from one to the other. Groups are ordered by their first
    member, members in ascending order."""
    links = coo_array((np.ones(len(pairs)), np.array(pairs, np.int64).reshape(-1, 2).T), shape=(n, n))
    members: dict[int, list[int]] = {}
    for i, group in enumerate(connected_components(links, directed=False)[1].tolist()):
        members.setdefault(group, []).append(i)
    return list(members.values())
