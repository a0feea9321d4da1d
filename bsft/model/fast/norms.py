"""RMS norms with a frozen weight as one function, which keeps its input in the model's dtype and no copy in float32.

Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; the arithmetic is transformers'.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bsft.model.fast.again import remember
from bsft.model.fast.native import rows

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

_RMS_NORMS = {"LlamaRMSNorm", "Qwen2RMSNorm"}
"""transformers' modules that compute `weight * (x / rms(x))`, the quotient in float32."""


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The normed rows, and one over each row's root mean square in float32."""
    if rows.can_compute(x, weight):
        return rows.rms_norm(x, weight, eps)
    wide = x.to(torch.float32, copy=True)
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return weight * wide.mul_(scale).to(x.dtype), scale


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        out, scale = _rms_norm(x, weight, eps)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        if rows.can_compute(grad_out, x, weight):
            return rows.rms_norm_backward(grad_out, x, weight, scale), None, None
        normed = x.float() * scale
        grad = (grad_out * weight).float()
        along = (grad * normed).mean(-1, keepdim=True)
        return torch.sub(grad, normed.mul_(along)).mul_(scale).to(x.dtype), None, None


def _forward(norm: nn.Module, x: Tensor) -> Tensor:
    weight = cast(Tensor, norm.weight)
    if weight.requires_grad:
        return cast(Tensor, type(norm).forward(norm, x))
    eps = cast(float, norm.variance_epsilon)
    out = cast(Tensor, _RmsNorm.apply(x, weight, eps))  # type: ignore[no-untyped-call]
    return remember(out, lambda x: _rms_norm(x, weight, eps)[0], x)


def install(backbone: Backbone) -> None:
    """In every RMS norm; one whose weight is trained goes on to use its own forward."""
    for norm in backbone.module.modules():
        if type(norm).__name__ in _RMS_NORMS:
            norm.forward = partial(_forward, norm)
