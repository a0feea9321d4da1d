"""Weighted cross-entropy that keeps of the logits nothing but themselves, in their own dtype.

Autograd would go over the logits of all labels in float32 five times (cast, log-softmax, its backward, the targets'
zeros, cast back) and keep two copies. Here only each row's normaliser is made with the loss, and the gradient in the
backward pass, a few rows at a time, small enough for the cache.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LOGITS_AT_ONCE = 1 << 19
"""On CPU, 2 MiB in float32."""


def _slices(logits: Tensor) -> list[slice]:
    n_rows = max(1, _LOGITS_AT_ONCE // logits.shape[1]) if logits.device.type == "cpu" else max(1, len(logits))
    return [slice(start, start + n_rows) for start in range(0, len(logits), n_rows)]


def log_normalizers(logits: Tensor) -> Tensor:
    """What is subtracted from a row's logits to make them log-probabilities: `(L, V)` -> `(L,)`, float32.

    torch's log_softmax adds large vocabularies up less exactly: biased by 1e-6 a row at 49,152 on CPU.
    """
    out = logits.new_empty(len(logits), dtype=torch.float32)
    for some in _slices(logits):
        out[some] = logits[some].float().logsumexp(-1)
    return out


class _LabelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """`(L, V)` and twice `(L,)` to a scalar."""
        normalizers = log_normalizers(logits)
        ctx.save_for_backward(logits, targets, weights, normalizers)
        return ((normalizers - logits.gather(1, targets[:, None])[:, 0].float()) * weights).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        logits, targets, weights, normalizers = ctx.saved_tensors
        scales = weights * grad_loss
        grad = torch.empty_like(logits)
        for some in _slices(logits):
            scale = scales[some, None]
            log_p = logits[some].to(torch.float32, copy=True).sub_(normalizers[some, None])
            grad[some] = log_p.exp_().mul_(scale).scatter_add_(1, targets[some, None], -scale)
        return grad, None, None


def label_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """`sum_i weights_i * -log softmax(logits_i)[targets_i]`, a float32 scalar.

    Args:
        logits: `(L, V)`.
        targets: `(L,)` token ids.
        weights: `(L,)`; no gradient flows into them.

    Raises:
        ValueError: not one target and one weight for each row.
    """
    if not len(logits) == len(targets) == len(weights):
        raise ValueError(f"{len(logits)} rows of logits, {len(targets)} targets and {len(weights)} weights")
    return cast(Tensor, _LabelLoss.apply(logits, targets.long(), weights.float()))  # type: ignore[no-untyped-call]
