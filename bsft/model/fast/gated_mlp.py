"""A gated MLP's activation, `silu(gate) * up`, as one function.

Autograd would keep `silu(gate)` and, for the adapter of the down projection, the product; here both are made again from
`gate` and `up`, which halves what an MLP keeps.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.activations import SiLUActivation

from bsft.model.fast.again import remember
from bsft.model.fast.native import kernels

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

_GATED_MLPS = {"LlamaMLP", "Qwen2MLP"}
"""transformers' modules that compute `down_proj(act_fn(gate_proj(x)) * up_proj(x))`."""


def _gated(gate: Tensor, up: Tensor) -> Tensor:
    return kernels.gated(gate, up) if kernels.can_gate(gate, up) else F.silu(gate).mul_(up)


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        """Twice `(..., D)` -> `(..., D)`."""
        ctx.save_for_backward(gate, up)
        return _gated(gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        if kernels.can_gate(grad, gate, up):
            return kernels.gated_backward(grad, gate, up)
        return torch.ops.aten.silu_backward(grad * up, gate), F.silu(gate).mul_(grad)


def _forward(mlp: nn.Module, x: Tensor) -> Tensor:
    gate, up, down = (cast(nn.Module, getattr(mlp, f"{name}_proj")) for name in ("gate", "up", "down"))
    wide = gate(x), up(x)
    out = cast(Tensor, _Gated.apply(*wide))  # type: ignore[no-untyped-call]
    return cast(Tensor, down(remember(out, _gated, *wide)))


def install(backbone: Backbone) -> None:
    """In every gated MLP with SiLU."""
    for mlp in backbone.module.modules():
        if type(mlp).__name__ in _GATED_MLPS and isinstance(mlp.act_fn, nn.SiLU | SiLUActivation):
            mlp.forward = partial(_forward, mlp)
