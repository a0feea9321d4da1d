"""RMS norms with a frozen weight as one function, which keeps its input and no normed copy of it.

Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; the arithmetic is transformers'.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bsft.model.fast.again import remember
from bsft.model.fast.native import kernels
from bsft.model.parts import decoder_layers

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

_RMS_NORMS = {"LlamaRMSNorm", "Qwen2RMSNorm"}
"""transformers' modules that compute `weight * (x / rms(x))`, and whose results in a layer only products read."""


def _rms_norm(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`(..., D)` and `(D,)` to the normed rows in `dtype` and `(..., 1)`, one over each row's root mean square."""
    if kernels.can_norm(x, weight, dtype):
        return kernels.rms_norm(x, weight, eps)
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return (x * scale).mul_(weight).to(dtype), scale


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        """`(..., D)` and `(D,)` -> `(..., D)` in `dtype`."""
        out, scale = _rms_norm(x, weight, eps, dtype)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        if kernels.can_norm(x, weight, grad_out.dtype) and grad_out.is_contiguous():
            return kernels.rms_norm_backward(grad_out, x, weight, scale), None, None, None
        normed, grad = x * scale, grad_out * weight
        along = (grad * normed).mean(-1, keepdim=True)
        return torch.sub(grad, normed.mul_(along)).mul_(scale), None, None, None


def _forward(norm: nn.Module, in_layer: bool, x: Tensor) -> Tensor:
    weight = cast(Tensor, norm.weight)
    if weight.requires_grad or x.dtype != torch.float32:
        return cast(Tensor, type(norm).forward(norm, x))
    eps = cast(float, norm.variance_epsilon)
    device = x.device.type
    # in a layer, what autocast would make of the result for each product that reads it
    dtype = torch.get_autocast_dtype(device) if in_layer and torch.is_autocast_enabled(device) else x.dtype
    out = cast(Tensor, _RmsNorm.apply(x, weight, eps, dtype))  # type: ignore[no-untyped-call]
    return remember(out, lambda x: _rms_norm(x, weight, eps, dtype)[0], x)


def install(backbone: Backbone) -> None:
    """In every RMS norm; one whose weight is trained goes on to use its own forward."""
    in_layers = set(decoder_layers(backbone.causal).modules())
    for norm in backbone.module.modules():
        if type(norm).__name__ in _RMS_NORMS:
            norm.forward = partial(_forward, norm, norm in in_layers)
