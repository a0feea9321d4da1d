"""Tree attention on CUDA: FlexAttention with a block mask made from the tree.

Lengths are padded to buckets, so that one compiled kernel serves all batches of a bucket. A padded query sees itself
only, so that no row of the softmax is empty.

Source: Dong et al., Flex Attention, 2024; torch.nn.attention.flex_attention.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from bsft.data.prefix_tree import Ints, PrefixTree

MIN_BUCKET_TOKENS = 128
"""FlexAttention's own block size."""


def bucket_tokens(n: int) -> int:
    """The smallest of 128, 256, 384, 512, 768, 1024, 1536 ... that holds `n` tokens: at most a third is padding
    above 256."""
    size = MIN_BUCKET_TOKENS
    while size < n:
        half = size + size // 2
        if size > MIN_BUCKET_TOKENS and n <= half:
            return half
        size *= 2
    return size


def block_mask_of(tree: PrefixTree, past_depths: Ints, device: torch.device, window: int | None) -> BlockMask:
    """FlexAttention's block mask of a tree, for padded lengths; keys are the cached tokens, then the tree, then
    padding."""
    n, n_past = tree.n_tokens, len(past_depths)
    n_queries, n_keys = bucket_tokens(n), bucket_tokens(n_past + n)
    subtree_end, depths = (np.pad(own, (0, n_queries - n)) for own in (tree.subtree_end, tree.depths))
    key_depths = np.pad(np.concatenate([past_depths, tree.depths]), (0, n_keys - n_past - n))
    root_of = np.zeros(n_queries, np.int64)
    for run in tree.runs:
        root_of[run.start : run.stop] = run.root
    seen_past = np.zeros((len(tree.roots), max(1, n_past)), dtype=bool)
    for i, root in enumerate(tree.roots):
        seen_past[i, root] = True
    end, depth, key_depth, root_index, past = (
        torch.from_numpy(array).to(device) for array in (subtree_end, depths, key_depths, root_of, seen_past)
    )

    def sees(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        own = key - n_past
        in_tree = (own >= 0) & (own <= query) & (query < end[own.clamp(0, n_queries - 1)]) & (query < n)
        in_past = (key < n_past) & past[root_index[query], key.clamp(0, past.shape[1] - 1)] & (query < n)
        seen = in_tree | in_past
        if window is not None:
            seen = seen & (depth[query] - key_depth[key] < window)
        return seen | ((query >= n) & (own == query))

    return create_block_mask(sees, None, None, n_queries, n_keys, device=device)


@cache
def _kernel(device_type: str) -> Callable[..., Any]:
    """Compiled where that makes a fused kernel; torch's own reference elsewhere, which tests use."""
    kernel = torch.compile(flex_attention, dynamic=False) if device_type == "cuda" else flex_attention
    return cast(Callable[..., Any], kernel)


def flex_tree_attention(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, scaling: float) -> Tensor:
    """Attention of a tree batch, `(1, H, N, D)` queries on `(1, Hkv, P + N, D)` keys -> `(1, N, H, D)`."""
    n = query.shape[2]
    n_queries, n_keys = mask.seq_lengths
    padded = F.pad(query, (0, 0, 0, n_queries - n))
    keys, values = (F.pad(states, (0, 0, 0, n_keys - states.shape[2])) for states in (key, value))
    out = _kernel(query.device.type)(
        padded, keys, values, block_mask=mask, scale=scaling, enable_gqa=key.shape[1] != query.shape[1]
    )
    return cast(Tensor, out)[:, :, :n].transpose(1, 2).contiguous()
