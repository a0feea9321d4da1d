"""Tree attention: every token of a prefix tree attends to its ancestors and itself.

Registered with transformers under `bsft_tree`; a forward pass hands its `TreeLayout` to every layer as the keyword
`tree`. On CPU the tree is computed block by block, forward and backward, without an N x N mask; on CUDA by
FlexAttention (`flex.py`). Elsewhere, and under attention dropout, one dense mask is used.

Source of the fused kernel's meaning: torch's `scaled_dot_product_attention`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface

from bsft.data.prefix_tree import Block, Ints, PrefixTree, block_mask, blocks_of, key_depths
from bsft.model.flex import block_mask_of, flex_tree_attention

NAME = "bsft_tree"
MAX_BLOCK_TOKENS = 128
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass
class TreeLayout:
    """A tree as attention wants it; made once a batch, used by every layer.

    `past_depths` are the depths of the cached tokens that the tree grows from, in cache order.
    """

    tree: PrefixTree
    past_depths: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _biases: dict[tuple[Any, ...], list[Tensor | None]] = field(default_factory=dict)
    _dense: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)
    _flex: dict[tuple[Any, ...], BlockMask] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> list[Block]:
        return blocks_of(self.tree, MAX_BLOCK_TOKENS)

    def biases(
        self, dtype: torch.dtype, groups: int, window: int | None, *, causal_as_none: bool
    ) -> list[Tensor | None]:
        """Additive masks `(groups * L, K)` of each block: 0 where a key is seen, -inf elsewhere."""
        key = (dtype, groups, window, causal_as_none)
        if key not in self._biases:
            self._biases[key] = [
                None
                if causal_as_none and block.causal and (window is None or block.stop - block.start <= window)
                else self._bias(block, dtype, groups, window)
                for block in self.blocks
            ]
        return self._biases[key]

    def _bias(self, block: Block, dtype: torch.dtype, groups: int, window: int | None) -> Tensor:
        seen = block_mask(self.tree, block)
        if window is not None:
            depths = self.tree.depths[block.start : block.stop, None]
            seen &= depths - key_depths(self.tree, block, self.past_depths) < window
        bias = torch.zeros(seen.shape, dtype=dtype).masked_fill_(torch.from_numpy(~seen), float("-inf"))
        return bias.repeat(groups, 1)

    def dense_mask(self, device: torch.device, window: int | None) -> Tensor:
        """`(1, 1, N, P + N)`, True where a key is seen."""
        key = (device, window)
        if key not in self._dense:
            n_past = len(self.past_depths)
            n = self.tree.n_tokens
            seen = np.zeros((n, n_past + n), dtype=bool)
            index = np.arange(n)
            seen[:, n_past:] = (index <= index[:, None]) & (index[:, None] < self.tree.subtree_end)
            for run in self.tree.runs:
                seen[run.start : run.stop, self.tree.roots[run.root]] = True
            if window is not None:
                depths = np.concatenate([self.past_depths, self.tree.depths])
                seen &= self.tree.depths[:, None] - depths < window
            self._dense[key] = torch.from_numpy(seen)[None, None].to(device)
        return self._dense[key]

    def flex_mask(self, device: torch.device, window: int | None) -> BlockMask:
        """FlexAttention's block mask, for lengths padded to buckets."""
        key = (device, window)
        if key not in self._flex:
            self._flex[key] = block_mask_of(self.tree, self.past_depths, device, window)
        return self._flex[key]


def _gather(states: Tensor, block: Block, n_past: int) -> Tensor:
    """The keys (or values) of a block, `(1, Hkv, K, D)`."""
    ranges = [*block.past, *((a + n_past, b + n_past) for a, b in block.keys)]
    pieces = [states[:, :, a:b] for a, b in ranges]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)


def _scatter_add(target: Tensor, block: Block, grad: Tensor) -> None:
    offset = 0
    for a, b in block.keys:
        target[:, :, a:b] += grad[:, :, offset : offset + b - a]
        offset += b - a


class _BlockwiseTreeAttention(torch.autograd.Function):
    """Attention per block. Grouped queries are folded into the rows, so keys are never repeated under a mask.

    In bf16 the products are left to the GEMM library, which is faster here than the fused kernel, and the probabilities
    are computed again for the backward pass, which costs no more than keeping them; in fp32 the fused kernel is used
    (docs/performance.md).
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, layout: TreeLayout, scaling: float, window: int | None
    ) -> Tensor:
        _, n_heads, n, head_dim = query.shape
        n_kv = key.shape[1]
        groups = n_heads // n_kv
        n_past = len(layout.past_depths)
        fused = query.dtype != torch.bfloat16
        biases = layout.biases(query.dtype, groups, window, causal_as_none=fused)
        out = query.new_empty(1, n, n_heads, head_dim)
        saved: list[Tensor] = []
        for block, bias in zip(layout.blocks, biases, strict=True):
            length = block.stop - block.start
            q = query[:, :, block.start : block.stop]
            k, v = _gather(key, block, n_past), _gather(value, block, n_past)
            if bias is None:
                k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
            else:
                q = q.reshape(1, n_kv, groups * length, head_dim)
            if fused:
                o, lse = _flash(q, k, v, 0.0, bias is None, attn_mask=bias, scale=scaling)
                saved += [o, lse]
            else:
                assert bias is not None
                o = torch.bmm(_probabilities(q, k, bias, scaling), v[0])
            out[:, block.start : block.stop] = o.reshape(1, n_heads, length, head_dim).transpose(1, 2)
        ctx.save_for_backward(query, key, value, *saved)
        ctx.layout, ctx.scaling, ctx.window, ctx.fused = layout, scaling, window, fused
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *saved = ctx.saved_tensors
        layout: TreeLayout = ctx.layout
        _, n_heads, _, head_dim = query.shape
        n_kv = key.shape[1]
        groups = n_heads // n_kv
        biases = layout.biases(query.dtype, groups, ctx.window, causal_as_none=ctx.fused)
        grad_query = torch.empty_like(query)
        grad_key, grad_value = torch.zeros_like(key), torch.zeros_like(value)
        for i, (block, bias) in enumerate(zip(layout.blocks, biases, strict=True)):
            length = block.stop - block.start
            q = query[:, :, block.start : block.stop]
            k, v = _gather(key, block, 0), _gather(value, block, 0)
            grad = grad_out[:, block.start : block.stop].transpose(1, 2)
            if bias is None:
                k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
            else:
                q = q.reshape(1, n_kv, groups * length, head_dim)
                grad = grad.reshape(1, n_kv, groups * length, head_dim)
            if ctx.fused:
                o, lse = saved[2 * i], saved[2 * i + 1]
                dq, dk, dv = _flash_backward(
                    grad, q, k, v, o, lse, 0.0, bias is None, attn_mask=bias, scale=ctx.scaling
                )
            else:
                assert bias is not None
                p = _probabilities(q, k, bias, ctx.scaling)
                dq, dk, dv = _product_backward(grad, q, k, v, p, ctx.scaling)
            if bias is None:
                dk, dv = (d.unflatten(1, (n_kv, groups)).sum(2) for d in (dk, dv))
            grad_query[:, :, block.start : block.stop] = dq.reshape(1, n_heads, length, head_dim)
            _scatter_add(grad_key, block, dk)
            _scatter_add(grad_value, block, dv)
        return grad_query, grad_key, grad_value, None, None, None


def _probabilities(q: Tensor, k: Tensor, bias: Tensor, scaling: float) -> Tensor:
    """`(Hkv, groups * L, K)`"""
    return torch.baddbmm(bias, q[0], k[0].transpose(1, 2), alpha=scaling).softmax(-1)


def _product_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, p: Tensor, scaling: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients from the probabilities `p`; the scaling is applied on the small factors."""
    dv = torch.bmm(p.transpose(1, 2), grad[0])
    dp = torch.bmm(grad[0], v[0].transpose(1, 2))
    ds = torch._softmax_backward_data(dp, p, -1, p.dtype)
    dq = torch.bmm(ds, k[0]).mul_(scaling)
    dk = torch.bmm(ds.transpose(1, 2), q[0]).mul_(scaling)
    return dq[None], dk[None], dv[None]


def tree_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    tree: TreeLayout,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of a tree batch, in the form that transformers calls.

    Args:
        query: `(1, H, N, D)`, RoPE by depth already applied.
        key, value: `(1, Hkv, P + N, D)`; the first `P` are cached ancestors.
        tree: the batch's layout.

    Returns:
        `(1, N, H, D)` and no weights.

    Raises:
        ValueError: more than one tree in the batch dimension.
    """
    if query.shape[0] != 1:
        raise ValueError(f"a tree batch has batch size 1, found {query.shape[0]}")
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    window = sliding_window if sliding_window is not None else getattr(module, "sliding_window", None)
    if query.device.type == "cpu" and dropout == 0.0:
        out: Tensor = _BlockwiseTreeAttention.apply(query, key, value, tree, scale, window)  # type: ignore[no-untyped-call]
        return out, None
    if query.device.type == "cuda" and dropout == 0.0:
        return flex_tree_attention(query, key, value, tree.flex_mask(query.device, window), scale), None
    dense = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=tree.dense_mask(query.device, window),
        dropout_p=dropout,
        scale=scale,
        enable_gqa=key.shape[1] != query.shape[1],
    )
    return dense.transpose(1, 2).contiguous(), None


def register() -> None:
    """Makes `bsft_tree` known to transformers (idempotent). Its mask is the tree, so transformers makes none."""
    AttentionInterface.register(NAME, tree_attention)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
