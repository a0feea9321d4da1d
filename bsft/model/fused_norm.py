"""RMS norms with a frozen weight as one function, which keeps its input in the model's dtype and no copy in float32.

Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; the arithmetic is transformers'.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.weak import WeakTensorKeyDictionary

from bsft.model.native import rows

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


class NormAgain:
    """Makes a norm's output again, for the backward passes of the layers that read it.

    They keep the norm's input in its place, which the norm keeps anyway, and share what the first of them makes.
    """

    def __init__(self, weight: Tensor, eps: float) -> None:
        self._weight, self._eps = weight, eps
        self._made: Tensor | None = None
        self._n_readers = self._n_left = 0

    def read(self) -> None:
        """One more layer will ask for the output."""
        self._n_readers += 1
        self._n_left = self._n_readers

    def __call__(self, x: Tensor) -> Tensor:
        """The output for the norm's input."""
        made = _rms_norm(x, self._weight, self._eps)[0] if self._made is None else self._made
        self._n_left -= 1
        if self._n_left > 0:
            self._made = made
        else:  # the graph may be kept for another pass
            self._made, self._n_left = None, self._n_readers
        return made


class _Source(NamedTuple):
    x: Tensor
    again: NormAgain
    versions: tuple[int, int]
    """How often the output and the input had been changed in place when the norm was done."""


_sources: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def input_of(out: Tensor) -> tuple[Tensor, NormAgain] | None:
    """If `out` is what a fused norm returned for a backward pass: the norm's input, and how to make `out` from it."""
    source: _Source | None = _sources.get(out)  # type: ignore[no-untyped-call]
    if source is None or source.versions != (out._version, source.x._version) or not torch.is_grad_enabled():
        return None
    return source.x, source.again


def _forward(norm: nn.Module, x: Tensor) -> Tensor:
    weight = cast(Tensor, norm.weight)
    if weight.requires_grad:
        return cast(Tensor, type(norm).forward(norm, x))
    out = cast(Tensor, _RmsNorm.apply(x, weight, norm.variance_epsilon))  # type: ignore[no-untyped-call]
    if out.requires_grad:
        again = NormAgain(weight, cast(float, norm.variance_epsilon))
        _sources[out] = _Source(x.detach(), again, (out._version, x._version))
    return out


def fuse_norms(model: nn.Module) -> int:
    """Gives the norms of a model the function above; returns how many. A norm whose weight is trained keeps its own."""
    n_fused = 0
    for module in model.modules():
        if type(module).__name__ in _RMS_NORMS:
            module.forward = partial(_forward, module)
            n_fused += 1
    return n_fused
