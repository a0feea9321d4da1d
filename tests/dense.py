"""The reference of tree attention: one mask for the whole tree, made without the blocks that are to be tested."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bsft.model.attention import TreeLayout


def dense_mask(layout: TreeLayout, window: int | None = None) -> Tensor:
    """`(1, 1, N, P + N)`, True where a key is seen."""
    tree, n_past, n = layout.tree, len(layout.past_depths), layout.tree.n_tokens
    seen = np.zeros((n, n_past + n), dtype=bool)
    index = np.arange(n)
    seen[:, n_past:] = (index <= index[:, None]) & (index[:, None] < tree.subtree_end)
    for run in tree.runs:
        seen[run.start : run.stop, tree.roots[run.root]] = True
    if window is not None:
        seen &= tree.depths[:, None] - np.concatenate([layout.past_depths, tree.depths]) < window
    return torch.from_numpy(seen)[None, None]
