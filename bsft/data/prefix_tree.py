"""Prefix trees over token ids: what sequences share is kept once.

Sequences are sorted, so that the tree's tokens lie in depth-first preorder: a sequence adds only the tokens after its
longest common prefix with the one before it (a *run*). A token's subtree is then a contiguous range, and

    token k is an ancestor of token q, or q itself   <=>   k <= q < subtree_end[k]

which is all that attention needs to know. A tree can also grow from tokens that were read before (`ancestors`), whose
keys and values lie in a cache.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Range = tuple[int, int]


@dataclass(frozen=True)
class Run:
    """Tokens `start..stop` that one sequence added; `outer`: the tree tokens above it, `root`: its ancestors' group."""

    start: int
    stop: int
    outer: Ints
    root: int


@dataclass(frozen=True)
class PrefixTree:
    """A batch of sequences as one tree of `N` tokens.

    Attributes:
        ids: `(N,)` token ids in preorder.
        depths: `(N,)` position of each token in its sequence, ancestors included.
        subtree_end: `(N,)` one past the last token below each token.
        paths: for each input sequence, the tree index of each of its tokens.
        runs: the tree in pieces, in preorder.
        roots: the cached ancestors of each group of sequences (indices into the cache; empty without one).
    """

    ids: Ints
    depths: Ints
    subtree_end: Ints
    paths: list[Ints]
    runs: list[Run]
    roots: list[Ints]

    @property
    def n_tokens(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Block:
    """Consecutive tokens `start..stop` whose attention is computed in one call.

    Their keys are the cached tokens `past` and the tree tokens of `keys`, in that order.
    """

    start: int
    stop: int
    past: tuple[Range, ...]
    keys: tuple[Range, ...]

    def key_rows(self, n_past: int) -> list[Range]:
        """The keys as ranges of states in which the tree's tokens follow `n_past` cached ones."""
        return [*self.past, *((a + n_past, b + n_past) for a, b in self.keys)]


def build_tree(sequences: Sequence[Sequence[int]], ancestors: Sequence[Ints] | None = None) -> PrefixTree:
    """Merges sequences into a tree.

    Args:
        sequences: token ids, each with at least one.
        ancestors: for each sequence, the cache indices of the tokens that precede it; sequences with equal ancestors
            may share. None: no sequence has any.

    Raises:
        ValueError: no sequence, or an empty one.
    """
    if not sequences or any(len(s) == 0 for s in sequences):
        raise ValueError("a prefix tree needs at least one sequence, and none may be empty")
    arrays = [np.asarray(s, dtype=np.int64) for s in sequences]
    groups: dict[bytes, int] = {}
    above = [np.empty(0, np.int64)] * len(arrays) if ancestors is None else ancestors
    group_of = [groups.setdefault(own.astype(np.int64).tobytes(), len(groups)) for own in above]
    roots = [np.frombuffer(key, np.int64).copy() for key in groups]
    order = sorted(range(len(arrays)), key=lambda i: (group_of[i], tuple(sequences[i])))
    ids: list[Ints] = []
    depths: list[Ints] = []
    runs: list[Run] = []
    path = np.empty(0, np.int64)
    paths = [path] * len(arrays)
    end = np.empty(sum(map(len, arrays)), np.int64)
    n, previous = 0, None
    for i in order:
        shared = 0
        if previous is not None and group_of[previous] == group_of[i]:
            shared = common_length(arrays[previous], arrays[i])
        new = arrays[i][shared:]
        end[path[shared:]] = n
        if len(new):
            runs.append(Run(n, n + len(new), path[:shared], group_of[i]))
            ids.append(new)
            depths.append(len(roots[group_of[i]]) + np.arange(shared, shared + len(new)))
        path = np.concatenate([path[:shared], np.arange(n, n + len(new))])
        paths[i] = path
        n += len(new)
        previous = i
    end[path] = n
    return PrefixTree(np.concatenate(ids), np.concatenate(depths), end[:n].copy(), paths, runs, roots)


def common_length(a: Ints, b: Ints) -> int:
    """Length of the longest common prefix of token ids `(A,)` and `(B,)`."""
    n = min(len(a), len(b))
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n


def ranges_of(indices: Ints) -> tuple[Range, ...]:
    """Sorted indices `(N,)` as maximal ranges `[start, stop)`."""
    if len(indices) == 0:
        return ()
    cuts = [0, *(np.flatnonzero(np.diff(indices) != 1) + 1).tolist(), len(indices)]
    return tuple((int(indices[a]), int(indices[b - 1]) + 1) for a, b in pairwise(cuts))


def blocks_of(tree: PrefixTree, max_block_tokens: int) -> list[Block]:
    """Cuts a tree into attention blocks of at most `max_block_tokens`: runs that follow each other are taken together,
    and long ones cut, so that few keys are read that nobody sees.

    A later run of a block sees a prefix of the keys that its first run sees, because the tree lies in preorder.
    """
    blocks: list[Block] = []
    runs = [piece for run in tree.runs for piece in _pieces(run, max_block_tokens)]
    first = 0
    for i in range(1, len(runs) + 1):
        full = i < len(runs) and runs[i].stop - runs[first].start > max_block_tokens
        if i == len(runs) or full or runs[i].root != runs[first].root:
            head, stop = runs[first], runs[i - 1].stop
            keys = np.concatenate([head.outer, np.arange(head.start, stop)])
            blocks.append(Block(head.start, stop, ranges_of(tree.roots[head.root]), ranges_of(keys)))
            first = i
    return blocks


def _pieces(run: Run, size: int) -> Iterator[Run]:
    for start in range(run.start, run.stop, size):
        outer = np.concatenate([run.outer, np.arange(run.start, start)])
        yield Run(start, min(start + size, run.stop), outer, run.root)


def visible_keys(tree: PrefixTree, block: Block, past_depths: Ints, window: int | None) -> NDArray[np.bool_]:
    """Which keys each token of a block sees, `(stop - start, number of keys)`, cached ones first.

    Args:
        past_depths: `(number cached,)` depth of each cached token.
        window: tokens of a sliding window, if there is one.
    """
    n_past = sum(b - a for a, b in block.past)
    keys = np.concatenate([np.arange(a, b) for a, b in block.keys])
    queries = np.arange(block.start, block.stop)[:, None]
    own = (keys <= queries) & (queries < tree.subtree_end[keys])
    seen = np.concatenate([np.ones((len(queries), n_past), dtype=bool), own], axis=1)
    if window is not None:
        key_depths = np.concatenate([*(past_depths[a:b] for a, b in block.past), tree.depths[keys]])
        seen &= tree.depths[queries] - key_depths < window
    return seen
