"""The compiled norms and gated activations against torch's own, in float32 and in bf16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from making import relative_error
from torch import Tensor

from bsft.model.fast.native import build, kernels

EPS = 1e-5


@pytest.fixture(autouse=True)
def available() -> None:
    if (reason := build.obstacle()) is not None:
        pytest.skip(reason)


@pytest.fixture(params=[(1, 16), (7, 80), (2, 3, 576), (403, 1536)])
def some(request: pytest.FixtureRequest) -> Callable[[int], Tensor]:
    """Random numbers, from a seed."""

    def make(seed: int) -> Tensor:
        return torch.randn(request.param, generator=torch.Generator().manual_seed(seed)).mul(3).bfloat16()

    return make


def normed(x: Tensor, weight: Tensor) -> Tensor:
    """As transformers does it, in float32."""
    return weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS))


def test_norms(some: Callable[[int], Tensor]) -> None:
    x, grad = some(0).float().mul(1.001), some(1)
    weight = some(2).float().mul(1.001).flatten()[: x.shape[-1]]
    out, scale = kernels.rms_norm(x, weight, EPS)
    assert scale.shape == (*x.shape[:-1], 1) and out.dtype == torch.bfloat16
    torch.testing.assert_close(scale, torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS))
    assert (out != normed(x, weight).bfloat16()).float().mean() < 1e-3, "but for sums in another order"
    exact = x.clone().requires_grad_()
    [gradient] = torch.autograd.grad(normed(exact, weight), exact, grad.float())
    assert relative_error(kernels.rms_norm_backward(grad, x, weight, scale), gradient) < 1e-5


def test_gated_activations(some: Callable[[int], Tensor]) -> None:
    gate, up, grad = some(0), some(1), some(2)
    assert (kernels.gated(gate, up) != F.silu(gate) * up).float().mean() < 1e-3
    exact = [states.float().requires_grad_() for states in (gate, up)]
    expected = torch.autograd.grad(F.silu(exact[0]) * exact[1], exact, grad.float())
    found = kernels.gated_backward(grad, gate, up)
    for gradient, wanted in zip(found, expected, strict=True):
        assert relative_error(gradient, wanted) < 3e-3


def test_large_numbers_and_those_that_are_none() -> None:
    gate = torch.tensor([-3e38, -200.0, -88.0, -0.0, 88.0, 200.0, 1e30, torch.nan]).repeat(2).bfloat16()
    ones = torch.ones_like(gate)
    torch.testing.assert_close(kernels.gated(gate, ones), F.silu(gate), equal_nan=True)
    exact = gate.float().requires_grad_()
    [expected] = torch.autograd.grad(F.silu(exact), exact, ones.float())
    found, _ = kernels.gated_backward(ones, gate, ones)
    torch.testing.assert_close(found.float(), expected, rtol=1e-2, atol=1e-30, equal_nan=True)
    x = torch.ones(3, 16)
    x[1, 5] = torch.nan
    x[2] = 0
    out, _ = kernels.rms_norm(x, ones.float(), EPS)
    assert out[1].isnan().all() and not out[2].any() and torch.equal(out[0], ones)


def test_any_number_of_threads_gives_the_same(some: Callable[[int], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    gate, up, x = some(0), some(1), some(2).float()
    weight = x.flatten()[: x.shape[-1]]

    def everything() -> list[Tensor]:
        out, scale = kernels.rms_norm(x, weight, EPS)
        gradients = *kernels.gated_backward(up, gate, out), kernels.rms_norm_backward(up, x, weight, scale)
        return [out, scale, kernels.gated(gate, up), *gradients]

    expected = everything()
    for n_threads in (1, 3, 40):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        assert all(torch.equal(a, b) for a, b in zip(everything(), expected, strict=True))


def test_what_they_do_not_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(4, 32)
    assert kernels.can_norm(x, x[0], torch.bfloat16) and not kernels.can_norm(x, x[0], torch.float32)
    assert not kernels.can_norm(x, x[0, :16], torch.bfloat16) and not kernels.can_norm(x, x[:2], torch.bfloat16)
    assert not kernels.can_norm(x, x[0].bfloat16(), torch.bfloat16)
    assert not kernels.can_norm(torch.zeros(4, 24), torch.zeros(24), torch.bfloat16)
    gate = x.bfloat16()
    assert kernels.can_gate(gate, gate) and not kernels.can_gate(gate, x) and not kernels.can_gate(gate, gate[:2])
    assert not kernels.can_gate(gate, gate.t().contiguous().t())
    assert not kernels.can_gate(gate[:, :24].contiguous(), gate[:, :24].contiguous())
    monkeypatch.setattr(kernels, "library", lambda: None)
    assert not kernels.can_gate(gate, gate) and not kernels.can_norm(x, x[0], torch.bfloat16)
