"""LoRA's forward and backward as one function, and the gated activation before the down projection with it.

PEFT computes `W x + s B A x` with casts of every activation to the adapters' fp32 and back, a scaling and an addition
of full size. Here both products run in the frozen weight's dtype and add into one output; gradients of A and B come
out in their own dtype. It is the arithmetic that autocast does, without its copies.

A gated MLP's down projection reads `act(gate) * up`. Autograd would keep `act(gate)` and the product for the backward
pass; here both are made again from `gate` and `up`, which halves what an MLP keeps.

Source: Hu et al., LoRA, 2021, equation 3.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.activations import SiLUActivation

from bsft.model.fused_norm import NormAgain, input_of
from bsft.model.native import rows

_GATED_MLPS = {"LlamaMLP", "Qwen2MLP"}
"""transformers' modules that compute `down_proj(act_fn(gate_proj(x)) * up_proj(x))`."""


def _project(flat: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """`W x + B A x` of rows, and `A x`; B is already scaled."""
    low = flat @ a.t()
    return F.linear(flat, weight, bias).addmm_(low, b.t()), low


def _input_gradient(grad: Tensor, grad_low: Tensor, weight: Tensor, a: Tensor) -> Tensor:
    return (grad @ weight).addmm_(grad_low, a)


def _adapter_gradients(
    grad: Tensor, grad_low: Tensor, flat: Tensor, low: Tensor, scaling: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    grad_a = (grad_low.t() @ flat).to(dtype)
    grad_b = (grad.t() @ low).to(dtype).mul_(scaling)
    return grad_a, grad_b


def _gated(gate: Tensor, up: Tensor) -> Tensor:
    return rows.gated(gate, up) if rows.can_compute(gate, up) else F.silu(gate).mul_(up)


def _gated_backward(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of gate and up; `grad` is written over."""
    if rows.can_compute(grad, gate, up):
        return rows.gated_backward(grad, gate, up)
    grad_up = F.silu(gate).mul_(grad)
    return torch.ops.aten.silu_backward(grad.mul_(up), gate), grad_up


class _FusedLora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        normed: tuple[Tensor, NormAgain] | None,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scaling: float,
    ) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        a_cast, b_cast = a.to(weight.dtype), (b * scaling).to(weight.dtype)
        out, low = _project(flat, weight, bias, a_cast, b_cast)
        kept, ctx.again = (flat, None) if normed is None else normed
        if ctx.again is not None:
            ctx.again.read()
        ctx.save_for_backward(kept, weight, a_cast, b_cast, low)
        ctx.scaling, ctx.shape, ctx.adapter_dtype = scaling, x.shape, a.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        kept, weight, a, b, low = ctx.saved_tensors
        flat = kept if ctx.again is None else ctx.again(kept).reshape(-1, kept.shape[-1])
        grad = grad_out.reshape(-1, grad_out.shape[-1])
        grad_low = grad @ b
        grad_x = _input_gradient(grad, grad_low, weight, a).view(ctx.shape) if ctx.needs_input_grad[0] else None
        grad_a, grad_b = _adapter_gradients(grad, grad_low, flat, low, ctx.scaling, ctx.adapter_dtype)
        return grad_x, None, None, None, grad_a, grad_b, None


class _GatedLora(torch.autograd.Function):
    """The fused layer on `silu(gate) * up`."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, up: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        gate_rows, up_rows = (x.reshape(-1, x.shape[-1]) for x in (gate, up))
        a_cast, b_cast = a.to(weight.dtype), (b * scaling).to(weight.dtype)
        out, low = _project(_gated(gate_rows, up_rows), weight, bias, a_cast, b_cast)
        ctx.save_for_backward(gate_rows, up_rows, weight, a_cast, b_cast, low)
        ctx.scaling, ctx.shape, ctx.adapter_dtype = scaling, gate.shape, a.dtype
        return out.view(*gate.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, weight, a, b, low = ctx.saved_tensors
        grad = grad_out.reshape(-1, grad_out.shape[-1])
        grad_low = grad @ b
        grad_a, grad_b = _adapter_gradients(grad, grad_low, _gated(gate, up), low, ctx.scaling, ctx.adapter_dtype)
        grad_gate, grad_up = _gated_backward(_input_gradient(grad, grad_low, weight, a), gate, up)
        return grad_gate.view(ctx.shape), grad_up.view(ctx.shape), None, None, grad_a, grad_b, None


def _adapter(layer: LoraLinear) -> tuple[Tensor, Tensor | None, Tensor, Tensor, float]:
    """Weight, bias, A, B and scaling of a plain layer."""
    name = layer.active_adapters[0]
    base = cast(nn.Linear, layer.get_base_layer())
    a, b = (cast(nn.Linear, maps[name]).weight for maps in (layer.lora_A, layer.lora_B))
    return base.weight, base.bias, a, b, layer.scaling[name]


def _forward(layer: LoraLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    weight, *rest = _adapter(layer)
    read = x.to(weight.dtype)
    with torch.autocast(x.device.type, enabled=False):
        fused = _FusedLora.apply(read, input_of(read), weight, *rest)  # type: ignore[no-untyped-call]
    return cast(Tensor, fused)


def _gated_forward(mlp: nn.Module, x: Tensor) -> Tensor:
    weight, *rest = _adapter(cast(LoraLinear, mlp.down_proj))
    gate, up = (cast(nn.Module, layer)(x).to(weight.dtype) for layer in (mlp.gate_proj, mlp.up_proj))
    with torch.autocast(x.device.type, enabled=False):
        fused = _GatedLora.apply(gate, up, weight, *rest)  # type: ignore[no-untyped-call]
    return cast(Tensor, fused)


def fuse(model: nn.Module) -> int:
    """Gives every plain LoRA layer of an adapted model, and every MLP around one, the fused function; returns how many.

    Layers with dropout, quantised base weights or LoRA variants keep PEFT's own forward.
    """
    n_fused = 0
    for module in model.modules():
        if _is_plain(module):
            module.forward = partial(_forward, module)  # type: ignore[arg-type]
            n_fused += 1
        elif _is_silu_mlp(module) and _is_plain(cast(nn.Module, module.down_proj)):
            module.forward = partial(_gated_forward, module)
            n_fused += 1
    return n_fused


def _is_silu_mlp(module: nn.Module) -> bool:
    return type(module).__name__ in _GATED_MLPS and isinstance(module.act_fn, nn.SiLU | SiLUActivation)


def _is_plain(layer: nn.Module) -> bool:
    if type(layer) is not LoraLinear:
        return False
    if len(layer.active_adapters) != 1 or layer.merged or layer.disable_adapters:
        return False
    name = layer.active_adapters[0]
    return (
        type(layer.get_base_layer()) is nn.Linear
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
    )
