"""Tree attention by kernels: a library of ours for bf16 on CPU (`native/`), torch's fused attention on blocks
elsewhere on CPU (`blockwise.py`), FlexAttention on CUDA (`flex.py`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from torch import Tensor

from bsft.model import attention
from bsft.model.attention import TreeLayout, masks_of
from bsft.model.fast.blockwise import BlockwiseTreeAttention, biased
from bsft.model.fast.flex import block_mask_of, flex_tree_attention
from bsft.model.fast.native.attention import NativeTree, NativeTreeAttention, can_compute

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

NAME = "bsft_tree_fast"


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
        blocks = layout.once(("biased", window, groups, dtype), lambda: biased(masks, groups, dtype))
        return cast(Tensor, BlockwiseTreeAttention.apply(query, key, value, blocks, scaling))  # type: ignore[no-untyped-call]
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
