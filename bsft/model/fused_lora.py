"""LoRA's forward and backward as one function, for a layer by itself or for layers that read the same input.

PEFT computes `W x + s B A x` with casts of every activation to the adapters' fp32 and back, a scaling and an addition
of full size. Here both products run in the frozen weight's dtype and add into one output; gradients of A and B come
out in their own dtype. It is the arithmetic that autocast does, without its copies. Query, key and value projections
read one input, and so do gate and up projections: their small products with A are one product, and the gradient of
their input is summed where it is made.

Source: Hu et al., LoRA, 2021, equation 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Children of one module that are called in turn with the same tensor."""


class _FusedLora(torch.autograd.Function):
    """`(x, scalings, W1, bias1, A1, B1, W2, ...) -> (W1 x + bias1 + s1 B1 A1 x, ...)`"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scalings: Sequence[float], *tensors: Any) -> tuple[Tensor, ...]:
        weights, biases, a_s, b_s = (list(tensors[i::4]) for i in range(4))
        dtype = weights[0].dtype
        flat = x.reshape(-1, x.shape[-1])
        a = torch.cat([own.to(dtype) for own in a_s])
        b_cast = [(own * scaling).to(dtype) for own, scaling in zip(b_s, scalings, strict=True)]
        low = flat @ a.t()
        lows = torch.split(low, [len(own) for own in a_s], dim=1)
        outs = []
        for weight, bias, b, own_low in zip(weights, biases, b_cast, lows, strict=True):
            out = F.linear(flat, weight, bias)
            out.addmm_(own_low, b.t())
            outs.append(out.view(*x.shape[:-1], -1))
        ctx.save_for_backward(flat, a, low, *weights, *b_cast)
        ctx.scalings, ctx.shape, ctx.adapter_dtype, ctx.ranks = scalings, x.shape, a_s[0].dtype, [len(o) for o in a_s]
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *grad_outs: Tensor) -> tuple[Tensor | None, ...]:
        n = len(grad_outs)
        flat, a, low, *rest = ctx.saved_tensors
        weights, b_s = rest[:n], rest[n:]
        grads = [grad.reshape(-1, grad.shape[-1]) for grad in grad_outs]
        grad_low = torch.cat([grad @ b for grad, b in zip(grads, b_s, strict=True)], dim=1)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grads[0] @ weights[0]
            for grad, weight in zip(grads[1:], weights[1:], strict=True):
                grad_x.addmm_(grad, weight)
            grad_x = grad_x.addmm_(grad_low, a).view(ctx.shape)
        grad_a = (grad_low.t() @ flat).to(ctx.adapter_dtype)
        grad_as = torch.split(grad_a, ctx.ranks)
        found: list[Tensor | None] = []
        for i, own_low in enumerate(torch.split(low, ctx.ranks, dim=1)):
            grad_b = (grads[i].t() @ own_low).to(ctx.adapter_dtype).mul_(ctx.scalings[i])
            found += [None, None, grad_as[i], grad_b]
        return grad_x, None, *found


def _apply(layers: Sequence[LoraLinear], x: Tensor) -> tuple[Tensor, ...]:
    tensors: list[Any] = []
    for layer in layers:
        name, base = layer.active_adapters[0], cast(nn.Linear, layer.get_base_layer())
        tensors += [base.weight, base.bias, layer.lora_A[name].weight, layer.lora_B[name].weight]
    scalings = [layer.scaling[layer.active_adapters[0]] for layer in layers]
    dtype = tensors[0].dtype
    with torch.autocast(x.device.type, enabled=False):
        return cast(
            "tuple[Tensor, ...]",
            _FusedLora.apply(x.to(dtype), scalings, *tensors),  # type: ignore[no-untyped-call]
        )


class _Together:
    """Computes sibling layers when the first is called, and hands the others theirs if they are called with the same
    tensor."""

    def __init__(self, layers: Sequence[LoraLinear]) -> None:
        self._layers = layers
        self._input: Tensor | None = None
        self._ready: dict[int, Tensor] = {}

    def __call__(self, number: int, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if number == 0:
            self._ready = dict(enumerate(_apply(self._layers, x)))
            self._input = x
        elif self._input is not x or number not in self._ready:
            return _alone(self._layers[number], x)
        out = self._ready.pop(number)
        if not self._ready:
            self._input = None
        return out


def _alone(layer: LoraLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _apply([layer], x)[0]


def fuse(model: nn.Module) -> int:
    """Gives every plain LoRA layer of an adapted model the fused function; returns how many.

    Layers with dropout, quantised base weights or LoRA variants keep PEFT's own forward.
    """
    n_fused = 0
    for layers in _groups(model):
        together = _Together(layers)
        for number, layer in enumerate(layers):
            layer.forward = partial(together, number) if len(layers) > 1 else partial(_alone, layer)  # type: ignore[method-assign]
        n_fused += len(layers)
    return n_fused


def _groups(model: nn.Module) -> Iterator[list[LoraLinear]]:
    """The plain layers: siblings together, the others each by itself."""
    plain = {module: None for module in model.modules() if type(module) is LoraLinear and _is_plain(module)}
    for module in model.modules():
        for names in SIBLINGS:
            found = [child for name in names if (child := getattr(module, name, None)) in plain]
            if len(found) == len(names):
                for child in found:
                    del plain[child]
                yield found
    for module in plain:
        yield [module]


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
