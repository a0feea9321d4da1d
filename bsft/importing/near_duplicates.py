"""Near-duplicate texts: word 5-grams in common, found through an inverted index."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

NEAR_DUPLICATE_SHARE = 0.4
"""Two texts are near-duplicates when they share this part of the shorter one's word 5-grams.

In MedErrBench-EN, boilerplate (a line of vital signs, "is brought to the emergency department because of") makes
unrelated notes share up to 0.35; rewritten versions of one note share 0.46 and more.
"""

_SHINGLE_WORDS = 5


def shingles(text: str) -> set[str]:
    """The text's word 5-grams, without case and punctuation; a shorter text is one shingle."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + _SHINGLE_WORDS]) for i in range(max(1, len(words) - _SHINGLE_WORDS + 1))}


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yields (i, j, share) with i < j for every two texts that are near-duplicates, in order of j, then i."""
    holders: dict[str, list[int]] = defaultdict(list)
    sizes: list[int] = []
    for j, text in enumerate(texts):
        own = shingles(text)
        sizes.append(len(own))
        common = Counter(i for shingle in own for i in holders[shingle])
        for i in sorted(common):
            share = common[i] / min(sizes[i], sizes[j])
            if share >= NEAR_DUPLICATE_SHARE:
                yield i, j, share
        for shingle in own:
            holders[shingle].append(j)


def connected(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """0 to n-1 in groups: two are in one group if pairs lead from one to the other. Groups are ordered by their first
    member, members by size."""
    head = list(range(n))

    def find(i: int) -> int:
        while head[i] != i:
            head[i] = head[head[i]]
            i = head[i]
        return i

    for i, j in pairs:
        head[find(j)] = find(i)
    members: dict[int, list[int]] = {}
    for i in range(n):
        members.setdefault(find(i), []).append(i)
    return list(members.values())
