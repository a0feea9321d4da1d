"""LoRA's forward and backward as one function.

PEFT computes `W x + s B A x` with casts of every activation to the adapters' fp32 and back, a scaling and an addition
of full size. Here both products run in the frozen weight's dtype and add into one output; gradients of A and B come
out in their own dtype. It is the arithmetic that autocast does, without its copies.

Source: Hu et al., LoRA, 2021, equation 3.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn


class _FusedLora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        a_cast, b_cast = a.to(weight.dtype), (b * scaling).to(weight.dtype)
        low = flat @ a_cast.t()
        out = F.linear(flat, weight, bias)
        out.addmm_(low, b_cast.t())
        ctx.save_for_backward(flat, weight, a_cast, b_cast, low)
        ctx.scaling, ctx.shape, ctx.adapter_dtype = scaling, x.shape, a.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight, a, b, low = ctx.saved_tensors
        grad = grad_out.reshape(-1, grad_out.shape[-1])
        grad_low = grad @ b
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grad @ weight
            grad_x.addmm_(grad_low, a)
            grad_x = grad_x.view(ctx.shape)
        grad_a = (grad_low.t() @ flat).to(ctx.adapter_dtype)
        grad_b = (grad.t() @ low).to(ctx.adapter_dtype).mul_(ctx.scaling)
        return grad_x, None, None, grad_a, grad_b, None


def _forward(layer: LoraLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    name = layer.active_adapters[0]
    base = cast(nn.Linear, layer.get_base_layer())
    weight = base.weight
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    with torch.autocast(x.device.type, enabled=False):
        fused = _FusedLora.apply(x.to(weight.dtype), weight, base.bias, a, b, layer.scaling[name])  # type: ignore[no-untyped-call]
    return cast(Tensor, fused)


def fuse(model: nn.Module) -> int:
    """Gives every plain LoRA layer of an adapted model the fused function; returns how many.

    Layers with dropout, quantised base weights or LoRA variants keep PEFT's own forward.
    """
    n_fused = 0
    for module in model.modules():
        if type(module) is LoraLinear and _is_plain(module):
            module.forward = partial(_forward, module)  # type: ignore[method-assign]
            n_fused += 1
    return n_fused


def _is_plain(layer: LoraLinear) -> bool:
    if len(layer.active_adapters) != 1 or layer.merged or layer.disable_adapters:
        return False
    name = layer.active_adapters[0]
    return (
        type(layer.get_base_layer()) is nn.Linear
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
    )
