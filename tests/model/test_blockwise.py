"""Batches of attention blocks: the mask in bf16, which leaves out what everybody sees, against the whole one."""

from __future__ import annotations

import pytest
import torch

from bsft.data.prefix_tree import blocks_of, build_tree
from bsft.model.blockwise import Heads, batch_blocks

CASE = list(range(40))
TREE = build_tree([[*CASE, *range(100, 100 + n)] for n in (9, 9, 12)] + [[*CASE[:7], 70, 71]])


@pytest.mark.parametrize("window", [None, 11])
@pytest.mark.parametrize("max_block_tokens", [8, 128])
def test_keys_without_a_mask_are_those_that_everybody_sees(max_block_tokens: int, window: int | None) -> None:
    blocks = blocks_of(TREE, max_block_tokens)
    short, whole = (
        batch_blocks(TREE, torch.empty(0).long().numpy(), blocks, Heads(2, 1, window, dtype))
        for dtype in (torch.bfloat16, torch.float32)
    )
    firsts = []
    for batch, reference in zip(short, whole, strict=True):
        n_blocks, n_kv, n_rows, n_keys = batch.shape
        assert n_keys % 32 == 0 and n_keys >= reference.shape[3]
        unmasked = torch.zeros(n_blocks * n_kv, n_rows, batch.first_biased)
        mask = torch.cat([unmasked, batch.bias.float()], dim=2)
        assert mask.shape == (n_blocks * n_kv, n_rows, n_keys)
        torch.testing.assert_close(mask[:, :, : reference.shape[3]], reference.bias.flatten(0, 1))
        if batch.first_biased < n_keys:
            assert (batch.bias[:, :, 0] < 0).any(), "a key that everybody sees has a mask"
        firsts.append(batch.first_biased)
    assert max(firsts) > 0 or window is not None
