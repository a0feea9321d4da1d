"""Tree attention by the C++ library. Same arithmetic as in `blockwise.py`, scores in float32."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bsft.data.prefix_tree import Block, Ints, PrefixTree, visible_keys
from bsft.model.native.build import library

_LANES = 16
"""Keys that a word of the mask covers, and what head dimensions have to be a multiple of."""


class _States(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("token_stride", ctypes.c_int64), ("head_stride", ctypes.c_int64))


class _Tree(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("n_tokens", "n_key_tokens", "n_heads", "n_kv", "head_dim", "n_blocks")),
        *((name, ctypes.c_void_p) for name in ("blocks", "ranges", "masks", "n_visible")),
    )


def can_compute(query: Tensor, key: Tensor) -> bool:
    """Whether the library takes these states: on CPU, in bf16, and it could be compiled."""
    return (
        query.device.type == "cpu"
        and query.dtype == key.dtype == torch.bfloat16
        and query.shape[-1] % _LANES == 0
        and library() is not None
    )


class NativeTree:
    """A tree's blocks as the library reads them (`unit.hpp`): one for each sliding window, used by every layer."""

    def __init__(self, tree: PrefixTree, past_depths: Ints, blocks: Sequence[Block], window: int | None) -> None:
        rows: list[tuple[int, ...]] = []
        ranges: list[tuple[int, int]] = []
        masks = [np.empty(0, np.uint16)]
        n_words = 0
        self._n_visible = np.empty(tree.n_tokens, np.int32)
        for block in blocks:
            seen = visible_keys(tree, block, past_depths, window)
            first_masked = int(np.argmin(np.append(seen.all(axis=0), False))) // _LANES * _LANES
            masked = np.pad(seen[:, first_masked:], [(0, 0), (0, -block.n_keys % _LANES)])
            words = np.packbits(masked, axis=1, bitorder="little").view("<u2")
            own = block.key_rows(len(past_depths))
            rows.append((block.start, block.stop, len(ranges), len(own), block.n_keys, first_masked, n_words))
            ranges += own
            masks.append(words.ravel())
            n_words += words.size
            self._n_visible[block.start : block.stop] = block.n_keys - seen[:, ::-1].argmax(axis=1)
        self._blocks, self._ranges = np.array(rows, np.int32), np.array(ranges, np.int32)
        self._masks = np.concatenate(masks)
        self._n_tokens, self._n_key_tokens = tree.n_tokens, len(past_depths) + tree.n_tokens

    def of(self, n_heads: int, n_kv: int, head_dim: int) -> _Tree:
        """For a layer's heads; valid as long as this object lives."""
        arrays = (array.ctypes.data for array in (self._blocks, self._ranges, self._masks, self._n_visible))
        return _Tree(self._n_tokens, self._n_key_tokens, n_heads, n_kv, head_dim, len(self._blocks), *arrays)


class NativeTreeAttention(torch.autograd.Function):
    """Attention of a tree; what is kept for the backward pass is its input and one number for each token and head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tree: NativeTree, scaling: float) -> Tensor:
        """`(1, H, N, D)` and `(1, Hkv, P + N, D)` to `(1, N, H, D)`."""
        native = library()
        assert native is not None
        query, key, value = (_with_dense_rows(states) for states in (query, key, value))
        _, n_heads, n, head_dim = query.shape
        out = query.new_empty(1, n, n_heads, head_dim)
        log_sums = torch.empty(n, n_heads, dtype=torch.float32)
        native.bsft_attention(
            ctypes.byref(tree.of(n_heads, key.shape[1], head_dim)),
            *(_states(states) for states in (query, key, value)),
            ctypes.c_float(scaling),
            _states(out.transpose(1, 2)),
            ctypes.c_void_p(log_sums.data_ptr()),
            torch.get_num_threads(),
        )
        ctx.save_for_backward(query, key, value, log_sums)
        ctx.tree, ctx.scaling = tree, scaling
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        native = library()
        assert native is not None
        query, key, value, log_sums = ctx.saved_tensors
        grads = [_empty_like(states) for states in (query, key, value)]
        grad_out = _with_dense_rows(grad_out.transpose(1, 2))
        native.bsft_attention_backward(
            ctypes.byref(ctx.tree.of(query.shape[1], key.shape[1], query.shape[3])),
            *(_states(states) for states in (query, key, value)),
            ctypes.c_float(ctx.scaling),
            ctypes.c_void_p(log_sums.data_ptr()),
            *(_states(states) for states in (grad_out, *grads)),
            torch.get_num_threads(),
        )
        return *grads, None, None


def _with_dense_rows(states: Tensor) -> Tensor:
    return states if states.stride(3) == 1 else states.contiguous()


def _empty_like(states: Tensor) -> Tensor:
    """`(1, H, N, D)`, token by token as projections want it."""
    _, n_heads, n, head_dim = states.shape
    return states.new_empty(1, n, n_heads, head_dim).transpose(1, 2)


def _states(states: Tensor) -> _States:
    return _States(states.data_ptr(), states.stride(2), states.stride(1))
