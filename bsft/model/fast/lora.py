"""LoRA's forward and backward as one function.

PEFT computes `W x + s B A x` with casts of every activation to the adapters' fp32 and back, a scaling and an addition
of full size. Here both products run in the frozen weight's dtype and add into one output; gradients of A and B come
out in their own dtype. It is the arithmetic that autocast does, without its copies.
Source: Hu et al., LoRA, 2021, equation 3.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bsft.model.fast.again import Origin, origin_of

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone


class _FusedLora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        origin: Origin | None,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scaling: float,
    ) -> Tensor:
        """`(..., I)` -> `(..., O)`, with `weight` `(O, I)`, `a` `(r, I)` and `b` `(O, r)`."""
        flat = x.reshape(-1, x.shape[-1])
        a_cast, b_cast = a.to(weight.dtype), (b * scaling).to(weight.dtype)
        low = flat @ a_cast.t()
        out = F.linear(flat, weight, None if bias is None else bias.to(weight.dtype)).addmm_(low, b_cast.t())
        kept, ctx.again = ((flat,), None) if origin is None else (origin.sources, origin.again)
        if ctx.again is not None:
            ctx.again.read()
        ctx.save_for_backward(weight, a_cast, b_cast, low, *kept)
        ctx.scaling, ctx.shape, ctx.adapter_dtype = scaling, x.shape, a.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        weight, a, b, low, *kept = ctx.saved_tensors
        flat = kept[0] if ctx.again is None else ctx.again(*kept).reshape(-1, weight.shape[1])
        grad = grad_out.reshape(-1, grad_out.shape[-1])
        grad_low = grad @ b
        grad_x = (grad @ weight).addmm_(grad_low, a).view(ctx.shape) if ctx.needs_input_grad[0] else None
        grad_a = (grad_low.t() @ flat).to(ctx.adapter_dtype)
        grad_b = (grad.t() @ low).to(ctx.adapter_dtype).mul_(ctx.scaling)
        return grad_x, None, None, None, grad_a, grad_b, None


def _forward(layer: LoraLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    name = layer.active_adapters[0]
    base = cast(nn.Linear, layer.get_base_layer())
    a, b = (cast(nn.Linear, maps[name]).weight for maps in (layer.lora_A, layer.lora_B))
    read = x.to(base.weight.dtype)
    with torch.autocast(x.device.type, enabled=False):
        fused = _FusedLora.apply(read, origin_of(read), base.weight, base.bias, a, b, layer.scaling[name])  # type: ignore[no-untyped-call]
    return cast(Tensor, fused)


def install(backbone: Backbone) -> None:
    """In every plain LoRA layer; those with dropout, quantised weights or LoRA variants keep PEFT's own forward."""
    for layer in backbone.module.modules():
        if _is_plain(layer):
            layer.forward = partial(_forward, layer)  # type: ignore[arg-type]


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer computes `W x + s B A x` and nothing else."""
    if type(layer) is not LoraLinear or len(layer.active_adapters) != 1 or layer.merged or layer.disable_adapters:
        return False
    name = layer.active_adapters[0]
    return (
        type(layer.get_base_layer()) is nn.Linear
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
    )
