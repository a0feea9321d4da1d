"""Tree attention on CPU, block by block and without an N x N mask; blocks of similar shape are computed together.

Small products keep few threads busy for a short time each, so that the blocks of a tree (its items differ little in
length) are padded to a common shape and become one batched product (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bsft.data.prefix_tree import Block, Ints, PrefixTree, visible_keys

MAX_PADDING = 1.2
"""Padded query-key pairs of a batch over its blocks' own."""
MAX_BATCH_SCORES = 2**20
"""Query-key pairs of all heads that are computed at once: their scores and probabilities should stay in the cache."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass(frozen=True)
class BlockBatch:
    """`B` blocks, padded to `L` tokens and `K` keys.

    Rows are those of `(N, H, D)` and `(P + N, Hkv, D)` states laid out as `(rows, D)`.

    Attributes:
        shape: `(B, Hkv, groups * L, K)`.
        queries: `(B * H * L,)` rows of the queries; padding repeats the first token's.
        outputs: the same rows where results go; padding goes to the rows of a token `N` that nobody reads.
        padding: positions in `queries` that are padding.
        keys: `(B * Hkv * K,)` rows of the keys and values; padding repeats the first key's.
        bias: `(B, 1, groups * L, K)`, 0 where a key is seen, -inf elsewhere and for padded keys.
    """

    shape: tuple[int, int, int, int]
    queries: Tensor
    outputs: Tensor
    padding: Tensor
    keys: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Heads:
    """What batches are made for: query heads, key heads, sliding window, and the dtype of the states."""

    n_heads: int
    n_kv: int
    window: int | None
    dtype: torch.dtype


def batch_blocks(tree: PrefixTree, past_depths: Ints, blocks: Sequence[Block], heads: Heads) -> list[BlockBatch]:
    """Batches of blocks of similar shape; every block is in one of them."""
    batches: list[list[Block]] = []
    size = n_pairs = n_longest = n_keys = 0
    for block in sorted(blocks, key=lambda b: (-b.n_keys, -b.n_tokens)):
        own = block.n_tokens * block.n_keys
        padded = (size + 1) * max(n_longest, block.n_tokens) * n_keys
        if not batches or padded > MAX_PADDING * (n_pairs + own) or padded * heads.n_heads > MAX_BATCH_SCORES:
            batches.append([])
            size = n_pairs = n_longest = 0
            n_keys = block.n_keys
        batches[-1].append(block)
        size, n_pairs, n_longest = size + 1, n_pairs + own, max(n_longest, block.n_tokens)
    return [_batch(tree, past_depths, chosen, heads) for chosen in batches]


def _batch(tree: PrefixTree, past_depths: Ints, blocks: list[Block], heads: Heads) -> BlockBatch:
    n, n_past = tree.n_tokens, len(past_depths)
    shape = len(blocks), max(b.n_tokens for b in blocks), max(b.n_keys for b in blocks)
    tokens = np.full(shape[:2], n)
    keys = np.zeros((shape[0], shape[2]), np.int64)
    seen = np.zeros(shape, dtype=bool)
    for i, block in enumerate(blocks):
        tokens[i, : block.n_tokens] = np.arange(block.start, block.stop)
        keys[i, : block.n_keys] = np.concatenate([np.arange(a, b) for a, b in block.key_rows(n_past)])
        seen[i, : block.n_tokens, : block.n_keys] = visible_keys(tree, block, past_depths, heads.window)
        seen[i, block.n_tokens :] = True  # no row of the softmax is empty
    groups = heads.n_heads // heads.n_kv
    outputs = tokens[:, None] * heads.n_heads + np.arange(heads.n_heads)[:, None]
    padding = np.flatnonzero(outputs.ravel() >= n * heads.n_heads)
    queries = outputs.ravel().copy()
    queries[padding] = 0
    key_rows = keys[:, None] * heads.n_kv + np.arange(heads.n_kv)[:, None]
    bias = torch.zeros(shape, dtype=heads.dtype).masked_fill_(torch.from_numpy(~seen), float("-inf"))
    return BlockBatch(
        (shape[0], heads.n_kv, groups * shape[1], shape[2]),
        torch.from_numpy(queries),
        torch.from_numpy(outputs.ravel()),
        torch.from_numpy(padding),
        torch.from_numpy(key_rows.ravel()),
        bias.repeat(1, groups, 1)[:, None],
    )


class BlockwiseTreeAttention(torch.autograd.Function):
    """Attention per batch of blocks by torch's fused kernel. Grouped queries are folded into the rows, so that keys are
    never repeated."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, batches: list[BlockBatch], scaling: float
    ) -> Tensor:
        """`(1, H, N, D)` and `(1, Hkv, P + N, D)` to `(1, N, H, D)`."""
        _, n_heads, n, _ = query.shape
        q_rows, k_rows, v_rows = _rows(query), _rows(key), _rows(value)
        out = q_rows.new_empty((n + 1) * n_heads, q_rows.shape[1])
        saved: list[Tensor] = []
        for batch in batches:
            q, k, v = _take(q_rows, k_rows, v_rows, batch)
            o, lse = _flash(q, k, v, 0.0, False, attn_mask=batch.bias, scale=scaling)
            saved += [o, lse]
            out.index_copy_(0, batch.outputs, o.reshape(-1, out.shape[1]))
        ctx.save_for_backward(query, key, value, *saved)
        ctx.batches, ctx.scaling = batches, scaling
        return out.view(1, n + 1, n_heads, -1)[:, :n]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *saved = ctx.saved_tensors
        _, n_heads, n, head_dim = query.shape
        q_rows, k_rows, v_rows = _rows(query), _rows(key), _rows(value)
        grad_rows = grad_out.reshape(-1, head_dim)
        grad_q = q_rows.new_empty((n + 1) * n_heads, head_dim)
        grad_k, grad_v = torch.zeros_like(k_rows), torch.zeros_like(v_rows)
        for batch, o, lse in zip(ctx.batches, saved[::2], saved[1::2], strict=True):
            q, k, v = _take(q_rows, k_rows, v_rows, batch)
            grad = grad_rows.index_select(0, batch.queries)
            if len(batch.padding):
                grad.index_fill_(0, batch.padding, 0)
            gradients = _flash_backward(
                grad.view_as(q), q, k, v, o, lse, 0.0, False, attn_mask=batch.bias, scale=ctx.scaling
            )
            dq, dk, dv = (gradient.reshape(-1, head_dim) for gradient in gradients)
            grad_q.index_copy_(0, batch.outputs, dq)
            grad_k.index_add_(0, batch.keys, dk)
            grad_v.index_add_(0, batch.keys, dv)
        grad_q = grad_q.view(1, n + 1, n_heads, head_dim)[:, :n]
        return grad_q.transpose(1, 2), _states(grad_k, key), _states(grad_v, value), None, None


def _rows(states: Tensor) -> Tensor:
    """`(1, H, N, D)` as `(N * H, D)`; free where the projections' own layout was kept."""
    return states[0].transpose(0, 1).reshape(-1, states.shape[-1])


def _states(rows: Tensor, like: Tensor) -> Tensor:
    _, n_heads, n, head_dim = like.shape
    return rows.view(1, n, n_heads, head_dim).transpose(1, 2)


def _take(q_rows: Tensor, k_rows: Tensor, v_rows: Tensor, batch: BlockBatch) -> tuple[Tensor, Tensor, Tensor]:
    """`(B, Hkv, groups * L, D)`, and twice `(B, Hkv, K, D)`."""
    n_blocks, n_kv, n_rows, n_keys = batch.shape
    q = q_rows.index_select(0, batch.queries).view(n_blocks, n_kv, n_rows, -1)
    k, v = (rows.index_select(0, batch.keys).view(n_blocks, n_kv, n_keys, -1) for rows in (k_rows, v_rows))
    return q, k, v
