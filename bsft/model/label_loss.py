"""Weighted cross-entropy whose gradient is made together with the loss.

Autograd would go over the logits of all labels in float32 five times (cast, log-softmax, its backward, the targets'
zeros, cast back) and keep two copies. Here a few rows at a time, small enough for the cache, give their loss and their
gradient, and only the gradient is kept, in the logits' dtype.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

_LOGITS_AT_ONCE = 1 << 19
"""On CPU, 2 MiB in float32."""


def _slices(logits: Tensor) -> list[slice]:
    n_rows = max(1, _LOGITS_AT_ONCE // logits.shape[1]) if logits.device.type == "cpu" else max(1, len(logits))
    return [slice(start, start + n_rows) for start in range(0, len(logits), n_rows)]


def log_normalizers(logits: Tensor) -> Tensor:
    """What is subtracted from a row's logits to make them log-probabilities: `(L, V)` -> `(L,)`, float32.

    torch's log_softmax adds large vocabularies up less exactly: biased by 1e-6 a row at 49,152 on CPU.
    """
    return torch.cat([logits[rows].float().logsumexp(-1) for rows in _slices(logits)])


class _LabelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        loss = torch.zeros((), dtype=torch.float32, device=logits.device)
        grad = torch.empty_like(logits)
        for rows in _slices(logits):
            target, weight = targets[rows, None], weights[rows, None]
            scores = logits[rows].to(torch.float32, copy=True)
            log_p = scores.sub_(scores.logsumexp(-1, keepdim=True))
            loss -= (log_p.gather(1, target) * weight).sum()
            p = log_p.exp_().mul_(weight)
            grad[rows] = p.scatter_add_(1, target, -weight)
        ctx.save_for_backward(grad)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grad_loss.to(grad.dtype), None, None


def label_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """`sum_i weights_i * -log softmax(logits_i)[targets_i]`, a float32 scalar.

    Args:
        logits: `(L, V)`.
        targets: `(L,)` token ids.
        weights: `(L,)` float32; no gradient flows into them.
    """
    return cast(Tensor, _LabelLoss.apply(logits, targets, weights))  # type: ignore[no-untyped-call]
