"""Tree attention: every token of a prefix tree attends to its ancestors and itself.

Registered with transformers under `bsft_tree`; a forward pass hands its `TreeLayout` to every layer as the keyword
`tree`. On CPU the tree is computed block by block, in bf16 by a library of ours where the processor can (`native/`),
otherwise by torch's operators (`blockwise.py`); on CUDA by FlexAttention (`flex.py`). Soft-capped scores, attention
sinks and values of another size than keys are written out (`eager_tree.py`). Elsewhere, and under attention dropout,
one dense mask is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface

from bsft.data.prefix_tree import Ints, PrefixTree, blocks_of
from bsft.model.blockwise import BlockBatch, BlockwiseTreeAttention, Heads, batch_blocks
from bsft.model.eager_tree import EagerBlock, Scores, eager_blocks, eager_tree_attention
from bsft.model.flex import block_mask_of, flex_tree_attention
from bsft.model.native.attention import NativeTree, NativeTreeAttention, can_compute

NAME = "bsft_tree"
MAX_BLOCK_TOKENS = 128
_NO_MATTER = frozenset({"position_ids", "cache_position", "position_embeddings", "use_cache", "num_items_in_batch"})
"""What transformers hands to attention besides, and what changes nothing in it: positions are in queries and keys."""


@dataclass
class TreeLayout:
    """A tree as attention wants it; made once a batch, used by every layer.

    `past_depths` are the depths of the cached tokens that the tree grows from, in cache order.
    """

    tree: PrefixTree
    past_depths: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _batches: dict[Heads, list[BlockBatch]] = field(default_factory=dict)
    _native: dict[int | None, NativeTree] = field(default_factory=dict)
    _dense: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)
    _flex: dict[tuple[Any, ...], BlockMask] = field(default_factory=dict)
    _eager: dict[tuple[Any, ...], list[EagerBlock]] = field(default_factory=dict)

    def batches(self, heads: Heads) -> list[BlockBatch]:
        """The tree's blocks as torch's operators compute them on CPU."""
        if heads not in self._batches:
            blocks = blocks_of(self.tree, MAX_BLOCK_TOKENS)
            self._batches[heads] = batch_blocks(self.tree, self.past_depths, blocks, heads)
        return self._batches[heads]

    def native(self, window: int | None) -> NativeTree:
        """The tree's blocks as the C++ library computes them."""
        if window not in self._native:
            blocks = blocks_of(self.tree, MAX_BLOCK_TOKENS)
            self._native[window] = NativeTree(self.tree, self.past_depths, blocks, window)
        return self._native[window]

    def eager(self, device: torch.device, window: int | None) -> list[EagerBlock]:
        """The tree's blocks as attention is written out."""
        key = (device, window)
        if key not in self._eager:
            blocks = blocks_of(self.tree, MAX_BLOCK_TOKENS)
            self._eager[key] = eager_blocks(self.tree, self.past_depths, blocks, window, device)
        return self._eager[key]

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


def tree_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    tree: TreeLayout | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of a tree batch, in the form that transformers calls.

    Args:
        query: `(1, H, N, D)`, RoPE by depth already applied.
        key, value: `(1, Hkv, P + N, D)`, values perhaps of another size; the first `P` are cached ancestors.
        tree: the batch's layout.
        softcap, s_aux: soft cap of the scores and the heads' sinks, as in `Scores`.
        others: `sliding_window`, or else the module's own; what changes nothing.

    Returns:
        `(1, N, H, D)` and no weights.

    Raises:
        ValueError: no tree, more than one in the batch dimension, or an argument that this attention does not know.
    """
    if tree is None:
        raise ValueError("the model does not hand the tree on to its attention")
    if query.shape[0] != 1:
        raise ValueError(f"a tree batch has batch size 1, found {query.shape[0]}")
    # a layer may have a window and say, by None, that it does not use it
    window: int | None = others.pop("sliding_window", getattr(module, "sliding_window", None))
    _refuse_unknown({"attention_mask": attention_mask, "not causal": is_causal is False, **others})
    # float32 weights under autocast: projections are bf16, but rotary embeddings make queries and keys float32 again
    query, key = query.to(value.dtype), key.to(value.dtype)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    if softcap is not None or s_aux is not None or key.shape[-1] != value.shape[-1]:
        blocks = tree.eager(query.device, window)
        return eager_tree_attention(query, key, value, blocks, Scores(scale, softcap, s_aux, dropout)), None
    if dropout == 0.0 and can_compute(query, key, value):
        native: Tensor = NativeTreeAttention.apply(query, key, value, tree.native(window), scale)  # type: ignore[no-untyped-call]
        return native, None
    if query.device.type == "cpu" and dropout == 0.0:
        heads = Heads(query.shape[1], key.shape[1], window, query.dtype)
        out: Tensor = BlockwiseTreeAttention.apply(query, key, value, tree.batches(heads), heads, scale)  # type: ignore[no-untyped-call]
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


def _refuse_unknown(arguments: dict[str, Any]) -> None:
    """What is None or off changes nothing; anything else that is not known here could change the result."""
    for name, value in arguments.items():
        if value is not None and value is not False and name not in _NO_MATTER:
            raise ValueError(f"tree attention does not know this model's {name!r}")


def register() -> None:
    """Makes `bsft_tree` known to transformers (idempotent). Its mask is the tree, so transformers makes none."""
    AttentionInterface.register(NAME, tree_attention)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
