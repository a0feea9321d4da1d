"""The finder of near-duplicates against comparing every pair."""

from __future__ import annotations

import random

import pytest

from bsft.importing.near_duplicates import Share, connected, near_duplicates, shingles, similar_sets


def edited_texts(seed: int, n: int) -> list[str]:
    """Texts cut and edited from a few originals, so that they share anything; the last is the first."""
    rng = random.Random(seed)
    originals = [[rng.choice("abcdefghijklmnop") for _ in range(rng.randint(1, 60))] for _ in range(8)]
    texts = []
    for _ in range(n):
        words = list(rng.choice(originals))
        for _ in range(rng.randint(0, 12)):
            words[rng.randrange(len(words))] = rng.choice("abcdefghijklmnop")
        texts.append(" ".join(words[: rng.randint(1, len(words))]))
    return [*texts, texts[0]]


@pytest.mark.parametrize("min_share", [0.3, 0.4, 0.9, 1.0])
@pytest.mark.parametrize("share", ["of the smaller", "of both"])
@pytest.mark.parametrize("seed", range(5))
def test_the_finder_finds_what_comparing_all_pairs_finds(seed: int, share: Share, min_share: float) -> None:
    sets = [shingles(text, 3) for text in edited_texts(seed, 60)]
    expected = []
    for j, second in enumerate(sets):
        for i, first in enumerate(sets[:j]):
            whole = min(len(first), len(second)) if share == "of the smaller" else len(first | second)
            if (found := len(first & second) / whole) >= min_share:
                expected.append((i, j, found))
    assert list(similar_sets(sets, min_share, share)) == expected
    assert expected


def test_sets_of_one_group_are_not_compared() -> None:
    sets = [{"a", "b"}] * 4
    seen: list[int] = []
    found = similar_sets(sets, 0.5, groups=["train", "train", "test", "test"], advance=seen.append)
    assert [(i, j) for i, j, _ in found] == [(0, 2), (1, 2), (0, 3), (1, 3)]
    assert sum(seen) == 4


def test_nothing_is_similar_among_nothing() -> None:
    assert list(near_duplicates([])) == []
    assert connected(0, []) == []


def test_groups_are_ordered_by_their_first_member() -> None:
    assert connected(6, [(4, 1), (5, 4), (0, 3)]) == [[0, 3], [1, 4, 5], [2]]
