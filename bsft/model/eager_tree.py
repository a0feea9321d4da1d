"""Tree attention written out: for what the fast kernels cannot compute (soft-capped scores, attention sinks, values of
another size than keys). Block by block, so that no N x N scores are made at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bsft.data.prefix_tree import Block, Ints, PrefixTree, visible_keys


@dataclass(frozen=True)
class EagerBlock:
    """Consecutive queries `start..stop`.

    Attributes:
        keys: `(K,)` rows of the keys and values.
        seen: `(stop - start, K)`, True where a key is seen.
    """

    start: int
    stop: int
    keys: Tensor
    seen: Tensor


@dataclass(frozen=True)
class Scores:
    """How scores become probabilities.

    Attributes:
        scaling: of the products of queries and keys.
        softcap: scores are bounded to `softcap * tanh(score / softcap)`; None: not.
        sinks: `(H,)` a score for each head that takes its share of the probability and has no value; None: none.
        dropout: share of the probabilities that are dropped.
    """

    scaling: float
    softcap: float | None = None
    sinks: Tensor | None = None
    dropout: float = 0.0


def eager_blocks(
    tree: PrefixTree, past_depths: Ints, blocks: list[Block], window: int | None, device: torch.device
) -> list[EagerBlock]:
    made = []
    for block in blocks:
        keys = np.concatenate([np.arange(a, b) for a, b in block.key_rows(len(past_depths))])
        seen = visible_keys(tree, block, past_depths, window)
        made.append(
            EagerBlock(block.start, block.stop, torch.from_numpy(keys).to(device), torch.from_numpy(seen).to(device))
        )
    return made


def eager_tree_attention(query: Tensor, key: Tensor, value: Tensor, blocks: list[EagerBlock], scores: Scores) -> Tensor:
    """`(1, H, N, D)` queries on `(1, Hkv, P + N, D)` keys and `(1, Hkv, P + N, Dv)` values -> `(1, N, H, Dv)`."""
    groups = query.shape[1] // key.shape[1]
    outputs = []
    for block in blocks:
        q = query[:, :, block.start : block.stop]
        q = q.reshape(1, key.shape[1], groups, *q.shape[2:])
        k, v = (states.index_select(2, block.keys)[:, :, None] for states in (key, value))
        p = _probabilities(q @ k.transpose(-1, -2), block.seen, scores)
        outputs.append((F.dropout(p, scores.dropout).to(v.dtype) @ v).flatten(1, 2))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous()


def _probabilities(products: Tensor, seen: Tensor, scores: Scores) -> Tensor:
    """`(1, Hkv, groups, L, K)`, float32."""
    scaled = products.float() * scores.scaling
    if scores.softcap is not None:
        scaled = torch.tanh(scaled / scores.softcap) * scores.softcap
    scaled = scaled.masked_fill(~seen, float("-inf"))
    if scores.sinks is None:
        return scaled.softmax(-1)
    sinks = scores.sinks.float().view(1, *scaled.shape[1:3], 1, 1).expand(*scaled.shape[:-1], 1)
    return torch.cat([scaled, sinks], dim=-1).softmax(-1)[..., :-1]
