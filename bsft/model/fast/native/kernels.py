"""What the C++ library computes: tree attention with the arithmetic of torch's fused kernel, scores in float32; norms
and gated activations in fewer passes than torch's operators."""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bsft.data.prefix_tree import Block, Ints, PrefixTree, Range, visible_keys
from bsft.model.fast.native.build import library

_LANES = 16
"""Numbers in a register: a word of the mask covers so many keys; head dimensions and rows have a multiple of them."""


class _States(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("token_stride", ctypes.c_int64), ("head_stride", ctypes.c_int64))


class _Tree(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("n_key_tokens", "n_heads", "n_kv", "head_dim", "n_blocks")),
        *((name, ctypes.c_void_p) for name in ("blocks", "ranges", "masks", "n_visible")),
    )


@cache
def _functions() -> ctypes.CDLL:
    """The library, with what its functions take."""
    native = library()
    assert native is not None
    before: tuple[Any, ...] = (ctypes.POINTER(_Tree), _States, _States, _States, ctypes.c_float)
    native.bsft_attention.argtypes = [*before, _States, ctypes.c_void_p, ctypes.c_int]
    native.bsft_attention_backward.argtypes = [*before, ctypes.c_void_p, *(_States,) * 4, ctypes.c_int]
    pointer, size, width = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
    native.bsft_rms_norm.argtypes = [pointer, pointer, ctypes.c_float, size, width, pointer, pointer, width]
    native.bsft_rms_norm_backward.argtypes = [*(pointer,) * 4, size, width, pointer, width]
    native.bsft_gated.argtypes = [pointer, pointer, size, pointer, width]
    native.bsft_gated_backward.argtypes = [*(pointer,) * 3, size, pointer, pointer, width]
    for name in ("attention", "attention_backward", "rms_norm", "rms_norm_backward", "gated", "gated_backward"):
        getattr(native, f"bsft_{name}").restype = None
    return native


def can_compute(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether the library takes `(1, H, N, D)` and twice `(1, Hkv, P + N, D)`: on CPU, in bf16, all heads of one size,
    and it could be compiled."""
    return (
        all(states.device.type == "cpu" and states.dtype == torch.bfloat16 for states in (query, key, value))
        and key.shape == value.shape
        and query.shape[3] == key.shape[3]
        and query.shape[3] % _LANES == 0
        and query.shape[1] % key.shape[1] == 0
        and library() is not None
    )


class NativeTree:
    """A tree's blocks as the library reads them (`unit.hpp`): made for each sliding window, used by every layer."""

    def __init__(self, tree: PrefixTree, past_depths: Ints, blocks: Sequence[Block], window: int | None) -> None:
        rows: list[tuple[int, ...]] = []
        ranges: list[Range] = []
        masks = [np.empty(0, np.uint16)]
        n_words = 0
        self._n_visible = np.empty(tree.n_tokens, np.int32)
        for block in blocks:
            seen = visible_keys(tree, block, past_depths, window)
            n_behind = int(seen.any(axis=0).argmax())  # keys that the window has left
            seen = seen[:, n_behind:]
            n_keys = seen.shape[1]
            first_masked = int(np.argmin(np.append(seen.all(axis=0), False))) // _LANES * _LANES
            masked = np.pad(seen[:, first_masked:], [(0, 0), (0, -n_keys % _LANES)])
            words = np.packbits(masked, axis=1, bitorder="little").view("<u2")
            own = _without(block.key_rows(len(past_depths)), n_behind)
            rows.append((block.start, block.stop, len(ranges), len(own), n_keys, first_masked, n_words))
            ranges += own
            masks.append(words.ravel())
            n_words += words.size
            self._n_visible[block.start : block.stop] = n_keys - seen[:, ::-1].argmax(axis=1)
        self._blocks, self._ranges = np.array(rows, np.int32), np.array(ranges, np.int32)
        self._masks = np.concatenate(masks)
        self._n_tokens, self._n_key_tokens = tree.n_tokens, len(past_depths) + tree.n_tokens

    def of(self, query: Tensor, key: Tensor) -> _Tree:
        """For a layer's queries and keys, `(1, H, N, D)` and `(1, Hkv, P + N, D)`; valid as long as this object lives.
        Raises `ValueError` where they are not those of this tree's tokens."""
        _, n_heads, n_tokens, head_dim = query.shape
        _, n_kv, n_key_tokens, _ = key.shape
        if (n_tokens, n_key_tokens) != (self._n_tokens, self._n_key_tokens):
            raise ValueError(
                f"a tree of {self._n_tokens} tokens with {self._n_key_tokens} keys, found states of {n_tokens} tokens "
                f"with {n_key_tokens} keys"
            )
        arrays = (array.ctypes.data for array in (self._blocks, self._ranges, self._masks, self._n_visible))
        return _Tree(n_key_tokens, n_heads, n_kv, head_dim, len(self._blocks), *arrays)


def _without(ranges: Sequence[Range], n_first: int) -> list[Range]:
    """Ranges without their first tokens."""
    kept = []
    for start, stop in ranges:
        n_left_out = min(n_first, stop - start)
        n_first -= n_left_out
        if start + n_left_out < stop:
            kept.append((start + n_left_out, stop))
    return kept


class NativeTreeAttention(torch.autograd.Function):
    """Attention of a tree; what is kept for the backward pass is its input and one number for each token and head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tree: NativeTree, scaling: float) -> Tensor:
        """`(1, H, N, D)` and `(1, Hkv, P + N, D)` to `(1, N, H, D)`."""
        native = _functions()
        query, key, value = (_with_dense_rows(states) for states in (query, key, value))
        _, n_heads, n, head_dim = query.shape
        out = query.new_empty(1, n, n_heads, head_dim)
        log_sums = query.new_empty(n, n_heads, dtype=torch.float32)
        native.bsft_attention(
            ctypes.byref(tree.of(query, key)),
            *(_states(states) for states in (query, key, value)),
            scaling,
            _states(out.transpose(1, 2)),
            log_sums.data_ptr(),
            torch.get_num_threads(),
        )
        ctx.save_for_backward(query, key, value, log_sums)
        ctx.tree, ctx.scaling = tree, scaling
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        native = _functions()
        query, key, value, log_sums = ctx.saved_tensors
        grads = [_empty_like(states) for states in (query, key, value)]
        grad_out = _with_dense_rows(grad_out.transpose(1, 2))
        native.bsft_attention_backward(
            ctypes.byref(ctx.tree.of(query, key)),
            *(_states(states) for states in (query, key, value)),
            ctx.scaling,
            log_sums.data_ptr(),
            *(_states(states) for states in (grad_out, *grads)),
            torch.get_num_threads(),
        )
        return *grads, None, None


def _with_dense_rows(states: Tensor) -> Tensor:
    return states if states.stride(3) == 1 else states.contiguous()


def _empty_like(states: Tensor) -> Tensor:
    """`(1, H, N, D)`, token by token as projections want it."""
    _, n_heads, n, head_dim = states.shape
    return states.new_empty(1, n, n_heads, head_dim).transpose(1, 2)


def _states(states: Tensor) -> _States:
    return _States(states.data_ptr(), states.stride(2), states.stride(1))


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
