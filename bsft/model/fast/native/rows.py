"""Norms and gated activations by the C++ library: in fewer passes what torch's operators compute."""

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
    for name in ("rms_norm", "rms_norm_backward", "gated", "gated_backward"):
        getattr(native, f"bsft_{name}").restype = None
    return native


def can_norm(x: Tensor, weight: Tensor, dtype: torch.dtype) -> bool:
    """Whether the library computes norms of `(..., D)` with a weight `(D,)`: on CPU, from float32 to bf16, contiguous,
    in whole registers, and it could be compiled."""
    return (
        dtype == torch.bfloat16
        and all(t.device.type == "cpu" and t.dtype == torch.float32 and t.is_contiguous() for t in (x, weight))
        and weight.shape == x.shape[-1:]
        and x.shape[-1] % _LANES == 0
        and library() is not None
    )


def can_gate(*wide: Tensor) -> bool:
    """Whether the library computes gated activations of tensors `(..., D)` of one shape: on CPU, in bf16, contiguous,
    in whole registers, and it could be compiled."""
    return (
        all(t.device.type == "cpu" and t.dtype == torch.bfloat16 and t.is_contiguous() for t in wide)
        and all(t.shape == wide[0].shape for t in wide)
        and wide[0].shape[-1] % _LANES == 0
        and library() is not None
    )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`(..., D)` and `(D,)` to the normed rows in bf16 and `(..., 1)`, one over each row's root mean square."""
    out, scale = torch.empty_like(x, dtype=torch.bfloat16), x.new_empty((*x.shape[:-1], 1))
    arguments = x.data_ptr(), weight.data_ptr(), eps, scale.numel(), x.shape[-1], out.data_ptr(), scale.data_ptr()
    _functions().bsft_rms_norm(*arguments, torch.get_num_threads())
    return out, scale


def rms_norm_backward(grad: Tensor, x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """The gradient of `x`, `(..., D)`, from that of the normed rows (bf16) and what `rms_norm` took and made."""
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
