"""RMS norms with a frozen weight as one function, which keeps its input in the model's dtype and no copy in float32.

Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; the arithmetic is transformers'.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

_RMS_NORMS = {"LlamaRMSNorm", "Qwen2RMSNorm"}
"""transformers' modules that compute `weight * (x / rms(x))`, the quotient in float32."""


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.to(torch.float32, copy=True)
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, scale)
        return weight * wide.mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        normed = x.float() * scale
        grad = (grad_out * weight).float()
        along = (grad * normed).mean(-1, keepdim=True)
        return torch.sub(grad, normed.mul_(along)).mul_(scale).to(x.dtype), None, None


def _forward(norm: nn.Module, x: Tensor) -> Tensor:
    weight = cast(Tensor, norm.weight)
    if weight.requires_grad:
        return cast(Tensor, type(norm).forward(norm, x))
    return cast(Tensor, _RmsNorm.apply(x, weight, norm.variance_epsilon))  # type: ignore[no-untyped-call]


def fuse_norms(model: nn.Module) -> int:
    """Gives the norms of a model the function above; returns how many. A norm whose weight is trained keeps its own."""
    n_fused = 0
    for module in model.modules():
        if type(module).__name__ in _RMS_NORMS:
            module.forward = partial(_forward, module)
            n_fused += 1
    return n_fused
