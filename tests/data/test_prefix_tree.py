"""Prefix trees against brute force: random sequences over few ids, so that they share and branch a lot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsft.data.prefix_tree import (
    Ints,
    PrefixTree,
    blocks_of,
    build_tree,
    common_length,
    ranges_of,
    visible_keys,
)

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=9)
"""Token ids of a batch; equal sequences and prefixes of each other are among them."""
ROOTS = [np.arange(0), np.arange(3), np.array([0, 1, 4, 5])]
"""Cached ancestors that sequences may have: none, a chain, a chain with a gap."""


@st.composite
def rooted(draw: st.DrawFn) -> tuple[list[list[int]], list[Ints]]:
    sequences = draw(SEQUENCES)
    return sequences, [ROOTS[draw(st.integers(0, 2))] for _ in sequences]


def node_prefixes(tree: PrefixTree, sequences: list[list[int]], ancestors: list[Ints]) -> list[tuple[object, ...]]:
    """What each node stands for: its ancestors in the cache, then the ids from the root down to it."""
    found: list[tuple[object, ...]] = [()] * tree.n_tokens
    for sequence, path, own in zip(sequences, tree.paths, ancestors, strict=True):
        for i, node in enumerate(path):
            found[node] = (tuple(own), *sequence[: i + 1])
    return found


def is_prefix(short: tuple[object, ...], long: tuple[object, ...]) -> bool:
    return long[: len(short)] == short


def test_a_tree_written_down_by_hand() -> None:
    tree = build_tree([[5, 6, 7], [5, 8], [5, 6, 9], [5, 6]])
    # sorted: 5 6 | 5 6 7 | 5 6 9 | 5 8
    assert tree.ids.tolist() == [5, 6, 7, 9, 8]
    assert tree.depths.tolist() == [0, 1, 2, 2, 1]
    assert tree.subtree_end.tolist() == [5, 4, 3, 4, 5]
    assert [path.tolist() for path in tree.paths] == [[0, 1, 2], [0, 4], [0, 1, 3], [0, 1]]
    assert tree.n_tokens == 5


def test_blocks_written_down_by_hand() -> None:
    tree = build_tree([[5, 6, 7], [5, 8], [5, 6, 9]])
    # runs: 5 6 7 | 9 | 8
    assert [(b.start, b.stop, b.keys) for b in blocks_of(tree, 4)] == [
        (0, 4, ((0, 4),)),
        (4, 5, ((0, 1), (4, 5))),
    ]
    assert [(b.start, b.stop, b.keys) for b in blocks_of(tree, 1)] == [
        (0, 1, ((0, 1),)),
        (1, 2, ((0, 2),)),
        (2, 3, ((0, 3),)),
        (3, 4, ((0, 2), (3, 4))),
        (4, 5, ((0, 1), (4, 5))),
    ]


@given(rooted())
def test_paths_reproduce_the_sequences_and_no_token_is_kept_twice(given_: tuple[list[list[int]], list[Ints]]) -> None:
    sequences, ancestors = given_
    tree = build_tree(sequences, ancestors)
    for sequence, path, own in zip(sequences, tree.paths, ancestors, strict=True):
        assert tree.ids[path].tolist() == sequence
        assert tree.depths[path].tolist() == [len(own) + i for i in range(len(sequence))]
    distinct = {(tuple(own), *s[: i + 1]) for s, own in zip(sequences, ancestors, strict=True) for i in range(len(s))}
    assert set(node_prefixes(tree, sequences, ancestors)) == distinct
    assert tree.n_tokens == len(distinct)


@given(rooted())
def test_the_subtree_rule_is_the_ancestor_relation(given_: tuple[list[list[int]], list[Ints]]) -> None:
    sequences, ancestors = given_
    tree = build_tree(sequences, ancestors)
    prefixes = node_prefixes(tree, sequences, ancestors)
    for k in range(tree.n_tokens):
        for q in range(tree.n_tokens):
            assert (k <= q < tree.subtree_end[k]) == is_prefix(prefixes[k], prefixes[q])


@given(rooted(), st.integers(1, 12))
def test_blocks_cover_every_token_once_and_their_masks_are_brute_force(
    given_: tuple[list[list[int]], list[Ints]], max_block_tokens: int
) -> None:
    sequences, ancestors = given_
    tree = build_tree(sequences, ancestors)
    prefixes = node_prefixes(tree, sequences, ancestors)
    blocks = blocks_of(tree, max_block_tokens)
    assert [t for block in blocks for t in range(block.start, block.stop)] == list(range(tree.n_tokens))
    for block in blocks:
        past = [t for a, b in block.past for t in range(a, b)]
        keys = [t for a, b in block.keys for t in range(a, b)]
        mask = visible_keys(tree, block, np.empty(0, np.int64), None)
        assert mask.shape == (block.stop - block.start, len(past) + len(keys))
        for row, query in zip(mask, range(block.start, block.stop), strict=True):
            seen = {keys[i] for i in np.flatnonzero(row[len(past) :])}
            assert seen == {k for k in range(tree.n_tokens) if is_prefix(prefixes[k], prefixes[query])}
            assert row[: len(past)].all() and tuple(past) == prefixes[query][0]


@given(rooted(), st.integers(1, 12), st.integers(1, 9))
def test_a_window_hides_the_keys_that_are_as_far_behind(
    given_: tuple[list[list[int]], list[Ints]], size: int, window: int
) -> None:
    tree = build_tree(*given_)
    past_depths = np.array([0, 1, 2, 7, 8, 9])
    for block in blocks_of(tree, size):
        past = [past_depths[t] for a, b in block.past for t in range(a, b)]
        depths = np.array([*past, *(tree.depths[t] for a, b in block.keys for t in range(a, b))])
        near = tree.depths[block.start : block.stop, None] - depths < window
        whole = visible_keys(tree, block, past_depths, None)
        assert (visible_keys(tree, block, past_depths, window) == (whole & near)).all()


@given(SEQUENCES, st.randoms())
def test_the_order_of_the_sequences_does_not_change_the_tree(sequences: list[list[int]], rng: object) -> None:
    shuffled = list(sequences)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    a, b = build_tree(sequences), build_tree(shuffled)
    assert (a.ids.tolist(), a.subtree_end.tolist()) == (b.ids.tolist(), b.subtree_end.tolist())


def test_equal_ids_under_different_ancestors_are_not_shared() -> None:
    tree = build_tree([[1, 2], [1, 2], [1, 2]], [ROOTS[1], ROOTS[2], ROOTS[1]])
    assert tree.ids.tolist() == [1, 2, 1, 2]
    assert tree.depths.tolist() == [3, 4, 4, 5]
    assert tree.paths[0].tolist() == tree.paths[2].tolist() != tree.paths[1].tolist()
    assert [block.past for block in blocks_of(tree, 99)] == [((0, 3),), ((0, 2), (4, 6))]


@pytest.mark.parametrize("sequences", [[], [[1], []]])
def test_nothing_and_an_empty_sequence_are_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one sequence, and none may be empty"):
        build_tree(sequences)


def test_ranges_and_common_lengths() -> None:
    assert ranges_of(np.array([0, 1, 2, 5, 7, 8])) == ((0, 3), (5, 6), (7, 9))
    assert ranges_of(np.array([], dtype=np.int64)) == ()
    assert common_length(np.array([1, 2, 3]), np.array([1, 2, 4, 5])) == 2
    assert common_length(np.array([1, 2]), np.array([1, 2, 4])) == 2
    assert common_length(np.array([1]), np.array([2])) == 0
