"""Tree attention by kernels: a library of ours for bf16 on CPU (`native/`), elsewhere on CPU torch's fused attention,
block by block, so that no N x N mask is made, and FlexAttention on CUDA (`flex.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bsft.model import attention
from bsft.model.attention import BlockMask, TreeLayout, masks_of
from bsft.model.fast.flex import block_mask_of, flex_tree_attention
from bsft.model.fast.native.kernels import NativeTree, NativeTreeAttention, can_compute

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

NAME = "bsft_tree_fast"
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def _kernel(
    query: Tensor, key: Tensor, value: Tensor, layout: TreeLayout, window: int | None, scaling: float
) -> Tensor | None:
    """`(1, H, N, D)` and twice `(1, Hkv, P + N, D)` to `(1, N, H, D)`; None where no kernel is known."""
    tree, past_depths = layout.tree, layout.past_depths
    if can_compute(query, key, value):
        native = layout.once(("native", window), lambda: NativeTree(tree, past_depths, layout.blocks, window))
        return cast(Tensor, NativeTreeAttention.apply(query, key, value, native, scaling))  # type: ignore[no-untyped-call]
    if query.device.type == "cpu":
        groups, dtype, masks = query.shape[1] // key.shape[1], query.dtype, masks_of(layout, query.device, window)
        blocks = layout.once(("biased", window, groups, dtype), lambda: _biased(masks, groups, dtype))
        return cast(Tensor, _BlockwiseAttention.apply(query, key, value, blocks, scaling))  # type: ignore[no-untyped-call]
    if query.device.type == "cuda":
        device = query.device
        mask = layout.once(("flex", device, window), lambda: block_mask_of(tree, past_depths, device, window))
        return flex_tree_attention(query, key, value, mask, scaling)
    return None


tree_attention = partial(attention.tree_attention, kernel=_kernel)


def install(backbone: Backbone) -> None:
    """Reads trees with this attention, and makes it known to transformers."""
    attention.register(NAME, tree_attention)
    backbone.tree_attention = NAME


def _biased(masks: Sequence[BlockMask], groups: int, dtype: torch.dtype) -> list[BlockMask]:
    """Blocks as the kernel takes them, for states of a dtype and `groups` heads per key head: what is seen is a bias
    `(1, 1, groups * (stop - start), K)`, 0 where a key is seen, else -inf."""
    biases = (torch.zeros(m.seen.shape, dtype=dtype).masked_fill_(~m.seen, float("-inf")) for m in masks)
    return [m._replace(seen=b.repeat(groups, 1)[None, None]) for m, b in zip(masks, biases, strict=True)]


class _BlockwiseAttention(torch.autograd.Function):
    """Attention per block. Grouped queries are folded into the rows, so that keys are never repeated; the backward pass
    gathers each block's keys again instead of keeping them, as autograd would."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: list[BlockMask], scaling: float) -> Tensor:
        """`(1, H, N, D)` and `(1, Hkv, P + N, D)` to `(1, N, H, D)`."""
        _, n_heads, n, head_dim = query.shape
        out = query.new_empty(1, n, n_heads, head_dim)
        saved: list[Tensor] = []
        for block, (q, k, v) in _gathered(query, key, value, blocks):
            o, lse = _flash(q, k, v, 0.0, False, attn_mask=block.seen, scale=scaling)
            out[:, block.start : block.stop] = _unfolded(o, n_heads).transpose(1, 2)
            saved += [o, lse]
        ctx.save_for_backward(query, key, value, *saved)
        ctx.blocks, ctx.scaling = blocks, scaling
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *saved = ctx.saved_tensors
        n_heads, n_kv = query.shape[1], key.shape[1]
        grads = [torch.zeros_like(states) for states in (query, key, value)]
        results = zip(saved[::2], saved[1::2], strict=True)
        for (block, (q, k, v)), (o, lse) in zip(_gathered(query, key, value, ctx.blocks), results, strict=True):
            grad = _folded(grad_out.transpose(1, 2)[:, :, block.start : block.stop], n_kv)
            options = {"attn_mask": block.seen, "scale": ctx.scaling}
            dq, dk, dv = _flash_backward(grad, q, k, v, o, lse, 0.0, False, **options)
            grads[0][:, :, block.start : block.stop] = _unfolded(dq, n_heads)
            grads[1].index_add_(2, block.keys, dk)
            grads[2].index_add_(2, block.keys, dv)
        return *grads, None, None


def _gathered(
    query: Tensor, key: Tensor, value: Tensor, blocks: Sequence[BlockMask]
) -> Iterator[tuple[BlockMask, tuple[Tensor, Tensor, Tensor]]]:
    """Each block with its `L` queries `(1, Hkv, groups * L, D)`, and its keys and values `(1, Hkv, K, D)`."""
    for block in blocks:
        k, v = (states.index_select(2, block.keys) for states in (key, value))
        yield block, (_folded(query[:, :, block.start : block.stop], key.shape[1]), k, v)


def _folded(states: Tensor, n_kv: int) -> Tensor:
    """`(1, H, L, D)` -> `(1, Hkv, groups * L, D)`."""
    return states.reshape(1, n_kv, -1, states.shape[-1])


def _unfolded(states: Tensor, n_heads: int) -> Tensor:
    """`(1, Hkv, groups * L, D)` -> `(1, H, L, D)`."""
    return states.reshape(1, n_heads, -1, states.shape[-1])
