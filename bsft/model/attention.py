"""Tree attention: every token of a prefix tree attends to its ancestors and itself.

Registered with transformers under `bsft_tree`; a forward pass hands its `TreeLayout` to every layer as the keyword
`tree`. Here it is written out, block by block, so that no N x N scores are made at once: with soft-capped scores,
attention sinks, values of another size than keys, and dropout. `fast/tree_attention.py` hands in kernels for the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from bsft.data.prefix_tree import Block, Ints, PrefixTree, blocks_of, visible_keys

NAME = "bsft_tree"
MAX_BLOCK_TOKENS = 128
_NO_MATTER = frozenset({"position_ids", "cache_position", "position_embeddings", "use_cache", "num_items_in_batch"})
"""Further arguments that transformers passes and that do not affect attention: queries and keys hold the positions."""
Made = TypeVar("Made")


@dataclass
class TreeLayout:
    """A tree as attention wants it; made once per batch, used by every layer.

    `past_depths` are the depths of the cached tokens that the tree grows from, in cache order.
    """

    tree: PrefixTree
    past_depths: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _made: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, make: Callable[[], Made]) -> Made:
        """What `make` returns, made for the first layer that asks for `key`."""
        if key not in self._made:
            self._made[key] = make()
        return cast(Made, self._made[key])

    @property
    def blocks(self) -> list[Block]:
        return self.once("blocks", lambda: blocks_of(self.tree, MAX_BLOCK_TOKENS))


Kernel = Callable[[Tensor, Tensor, Tensor, TreeLayout, int | None, float], Tensor | None]
"""From query, key, value, layout, sliding window and scaling to `(1, N, H, D)`; None if it cannot compute these."""


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
    kernel: Kernel | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of a tree batch, in the form that transformers calls.

    Args:
        query: `(1, H, N, D)`, RoPE by depth already applied.
        key, value: `(1, Hkv, P + N, D)` and `(1, Hkv, P + N, Dv)`; the first `P` are cached ancestors.
        tree: the batch's layout.
        softcap: scores are bounded to `softcap * tanh(score / softcap)`.
        s_aux: `(H,)`, a score per head that takes its share of the probability and has no value (a sink).
        kernel: what computes the plain case faster.
        others: `sliding_window` (the module's own where it is not given), and arguments that change nothing.

    Returns:
        `(1, N, H, Dv)` and no weights.

    Raises:
        ValueError: no tree, more than one in the batch dimension, or an argument that this attention does not know.
    """
    if tree is None:
        raise ValueError("the model does not hand the tree on to its attention")
    if query.shape[0] != 1:
        raise ValueError(f"a tree batch has batch size 1, found {query.shape[0]}")
    # a layer may have a window and say, by None, that it does not use it
    window: int | None = others.pop("sliding_window", getattr(module, "sliding_window", None))
    for name, given in {"attention_mask": attention_mask, "not causal": is_causal is False, **others}.items():
        if given is not None and given is not False and name not in _NO_MATTER:  # it could change the result
            raise ValueError(f"tree attention does not know this model's {name!r}")
    # float32 weights under autocast: projections are bf16, but rotary embeddings make queries and keys float32 again
    query, key = query.to(value.dtype), key.to(value.dtype)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    is_plain = softcap is None and s_aux is None and dropout == 0.0 and key.shape == value.shape
    if kernel is not None and is_plain and (out := kernel(query, key, value, tree, window, scale)) is not None:
        return out, None
    probabilities = partial(_probabilities, scaling=scale, softcap=softcap, sinks=s_aux)
    groups = query.shape[1] // key.shape[1]
    outputs = []
    for block in masks_of(tree, query.device, window):
        q = query[:, :, block.start : block.stop]
        q = q.reshape(1, key.shape[1], groups, *q.shape[2:])
        k, v = (states.index_select(2, block.keys)[:, :, None] for states in (key, value))
        p = F.dropout(probabilities(q @ k.transpose(-1, -2), block.seen), dropout)
        outputs.append((p.to(v.dtype) @ v).flatten(1, 2))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


class BlockMask(NamedTuple):
    """Queries `start..stop`, the `(K,)` rows of their keys, and `(stop - start, K)`: True where a key is seen."""

    start: int
    stop: int
    keys: Tensor
    seen: Tensor


def masks_of(layout: TreeLayout, device: torch.device, window: int | None) -> list[BlockMask]:
    """The blocks of a tree with their keys, made for each sliding window."""

    def made(block: Block) -> BlockMask:
        keys = np.concatenate([np.arange(a, b) for a, b in block.key_rows(len(layout.past_depths))])
        seen = visible_keys(layout.tree, block, layout.past_depths, window)
        return BlockMask(block.start, block.stop, *(torch.from_numpy(array).to(device) for array in (keys, seen)))

    return layout.once((device, window), lambda: [made(block) for block in layout.blocks])


def _probabilities(
    products: Tensor, seen: Tensor, *, scaling: float, softcap: float | None, sinks: Tensor | None
) -> Tensor:
    """`(1, Hkv, groups, L, K)`, float32."""
    scaled = products.float() * scaling
    if softcap is not None:
        scaled = torch.tanh(scaled / softcap) * softcap
    scaled = scaled.masked_fill(~seen, float("-inf"))
    if sinks is None:
        return scaled.softmax(-1)
    sinks = sinks.float().view(1, *scaled.shape[1:3], 1, 1).expand(*scaled.shape[:-1], 1)
    return torch.cat([scaled, sinks], dim=-1).softmax(-1)[..., :-1]


def register(name: str = NAME, function: Callable[..., tuple[Tensor, None]] = tree_attention) -> None:
    """Makes a tree attention known to transformers (idempotent). Its mask is the tree, so transformers makes none."""
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, lambda *args, **kwargs: None)
