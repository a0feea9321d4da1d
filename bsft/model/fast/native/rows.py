"""Norms, gated activations and the label loss by the C++ library: in fewer passes what torch's operators compute."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from bsft.model.fast.native.build import library

_LANES = 16
"""Numbers in a register; rows have a multiple of them."""


@cache
def _functions() -> ctypes.CDLL:
    """The library, with what its functions take."""
    native = library()
    assert native is not None
    pointer, size, width = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
    native.bsft_rms_norm.argtypes = [pointer, pointer, ctypes.c_float, size, width, pointer, pointer, width]
    native.bsft_rms_norm_backward.argtypes = [*(pointer,) * 4, size, width, pointer, width]
    native.bsft_gated.argtypes = [pointer, pointer, size, pointer, width]
    native.bsft_gated_backward.argtypes = [*(pointer,) * 3, size, pointer, pointer, width]
    native.bsft_log_normalizers.argtypes = [pointer, size, size, pointer, width]
    native.bsft_label_gradient.argtypes = [*(pointer,) * 4, size, size, pointer, width]
    for name in ("rms_norm", "rms_norm_backward", "gated", "gated_backward", "log_normalizers", "label_gradient"):
        getattr(native, f"bsft_{name}").restype = None
    return native


def can_compute(*rows: Tensor) -> bool:
    """Whether norms and gated activations can be had: as `can_read` wants them, of one shape `(..., D)` with whole
    registers, and perhaps one row `(D,)` as the weight."""
    shape = rows[0].shape
    return shape[-1] % _LANES == 0 and all(x.shape in (shape, shape[-1:]) for x in rows) and can_read(*rows)


def can_read(*rows: Tensor) -> bool:
    """Whether the library takes such rows, `(..., D)`: on CPU, in bf16, contiguous, and it could be compiled."""
    return (
        all(x.device.type == "cpu" and x.dtype == torch.bfloat16 and x.is_contiguous() for x in rows)
        and library() is not None
    )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`(..., D)` and `(D,)` to the normed rows and `(..., 1)`, one over each row's root mean square in float32."""
    out, scale = torch.empty_like(x), x.new_empty((*x.shape[:-1], 1), dtype=torch.float32)
    arguments = x.data_ptr(), weight.data_ptr(), eps, scale.numel(), x.shape[-1], out.data_ptr(), scale.data_ptr()
    _functions().bsft_rms_norm(*arguments, torch.get_num_threads())
    return out, scale


def rms_norm_backward(grad: Tensor, x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """The gradient of `x`, `(..., D)`, from that of the normed rows and what `rms_norm` returned and was given."""
    grad_x = torch.empty_like(x)
    pointers = (rows.data_ptr() for rows in (grad, x, weight, scale))
    _functions().bsft_rms_norm_backward(
        *pointers, scale.numel(), x.shape[-1], grad_x.data_ptr(), torch.get_num_threads()
    )
    return grad_x


def gated(gate: Tensor, up: Tensor) -> Tensor:
    """`silu(gate) * up`, all `(..., D)`."""
    out = torch.empty_like(gate)
    _functions().bsft_gated(gate.data_ptr(), up.data_ptr(), gate.numel(), out.data_ptr(), torch.get_num_threads())
    return out


def gated_backward(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of `gate` and `up`, all `(..., D)`."""
    grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
    pointers = (rows.data_ptr() for rows in (grad, gate, up))
    _functions().bsft_gated_backward(
        *pointers, gate.numel(), grad_gate.data_ptr(), grad_up.data_ptr(), torch.get_num_threads()
    )
    return grad_gate, grad_up


def log_normalizers(logits: Tensor) -> Tensor:
    """`(L, V)` to `(L,)`, float32: the logarithm of each row's sum of exponentials."""
    out = logits.new_empty(len(logits), dtype=torch.float32)
    _functions().bsft_log_normalizers(logits.data_ptr(), *logits.shape, out.data_ptr(), torch.get_num_threads())
    return out


def label_gradient(logits: Tensor, targets: Tensor, normalizers: Tensor, scales: Tensor) -> Tensor:
    """`(L, V)`, the gradient of `sum_i scales_i * -log softmax(logits_i)[targets_i]`.

    Args:
        targets: `(L,)` token ids, int64, which are not checked here.
        normalizers, scales: `(L,)` float32.
    """
    grad = torch.empty_like(logits)
    read = [x.contiguous() for x in (logits, targets, normalizers, scales)]
    pointers = (x.data_ptr() for x in read)
    _functions().bsft_label_gradient(*pointers, *logits.shape, grad.data_ptr(), torch.get_num_threads())
    return grad
