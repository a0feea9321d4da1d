"""The compiled norms, gated activations and label losses against torch's own, in float32 and in bf16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from making import relative_error
from torch import Tensor

from bsft.model.fast.native import build, rows

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
    """As transformers does it; in float32 nothing is rounded."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS)).to(x.dtype)


def test_norms(some: Callable[[int], Tensor]) -> None:
    x, grad = some(0), some(1)
    weight = some(2).flatten()[: x.shape[-1]]
    out, scale = rows.rms_norm(x, weight, EPS)
    expected = normed(x, weight)
    assert scale.shape == (*x.shape[:-1], 1) and scale.dtype == torch.float32
    torch.testing.assert_close(scale, torch.rsqrt(x.float().square().mean(-1, keepdim=True) + EPS))
    assert (out != expected).float().mean() < 1e-3, "the same roundings, but for sums in another order"
    exact = x.float().requires_grad_()
    [gradient] = torch.autograd.grad(normed(exact, weight.float()), exact, grad.float())
    assert relative_error(rows.rms_norm_backward(grad, x, weight, scale), gradient) < 3e-3


def test_gated_activations(some: Callable[[int], Tensor]) -> None:
    gate, up, grad = some(0), some(1), some(2)
    assert (rows.gated(gate, up) != F.silu(gate) * up).float().mean() < 1e-3
    exact = [states.float().requires_grad_() for states in (gate, up)]
    expected = torch.autograd.grad(F.silu(exact[0]) * exact[1], exact, grad.float())
    found = rows.gated_backward(grad, gate, up)
    for gradient, wanted in zip(found, expected, strict=True):
        assert relative_error(gradient, wanted) < 3e-3


@pytest.mark.parametrize("vocabulary", [1, 15, 17, 1024, 49_155])
def test_normalizers_and_label_gradients_of_any_vocabulary(vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(vocabulary)
    logits = torch.randn(31, vocabulary, generator=generator).mul(4).bfloat16()
    targets, scales = torch.randint(vocabulary, (31,), generator=generator), torch.rand(31, generator=generator)
    exact = logits.double().requires_grad_()
    losses = F.cross_entropy(exact, targets, reduction="none")
    normalizers = rows.log_normalizers(logits)
    found = normalizers.double() - exact.logsumexp(-1)
    assert found.abs().max() < 2e-6 and found.mean().abs() < 3e-7, "small terms of long sums are not lost"
    [expected] = torch.autograd.grad((losses * scales).sum(), exact)
    gradient = rows.label_gradient(logits, targets, normalizers, scales)
    assert gradient.dtype == torch.bfloat16
    assert (gradient - expected).norm() <= 3e-3 * expected.norm() + 1e-6


def test_infinite_logits_and_those_that_are_none() -> None:
    logits = torch.zeros(5, 40).bfloat16()
    logits[0, 7] = torch.inf
    logits[1] = -torch.inf
    logits[2, :20] = -torch.inf
    logits[3, 39] = torch.nan
    logits[4, :2] = torch.tensor([3e38, -3e38])
    torch.testing.assert_close(rows.log_normalizers(logits), logits.float().logsumexp(-1), equal_nan=True)


def test_large_numbers_and_those_that_are_none() -> None:
    gate = torch.tensor([-3e38, -200.0, -88.0, -0.0, 88.0, 200.0, 1e30, torch.nan]).repeat(2).bfloat16()
    ones = torch.ones_like(gate)
    torch.testing.assert_close(rows.gated(gate, ones), F.silu(gate), equal_nan=True)
    exact = gate.float().requires_grad_()
    [expected] = torch.autograd.grad(F.silu(exact), exact, ones.float())
    found, _ = rows.gated_backward(ones, gate, ones)
    torch.testing.assert_close(found.float(), expected, rtol=1e-2, atol=1e-30, equal_nan=True)
    x = torch.ones(3, 16).bfloat16()
    x[1, 5] = torch.nan
    x[2] = 0
    out, _ = rows.rms_norm(x, ones, EPS)
    assert out[1].isnan().all() and not out[2].any() and torch.equal(out[0], ones)


def test_any_number_of_threads_gives_the_same(some: Callable[[int], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    x, up = some(0), some(1)
    weight = up.flatten()[: x.shape[-1]]

    def everything() -> list[Tensor]:
        out, scale = rows.rms_norm(x, weight, EPS)
        backward = rows.gated_backward(up, x, out)
        logits = x.flatten(0, -2)
        normalizers = rows.log_normalizers(logits)
        first = torch.zeros(len(logits), dtype=torch.int64)
        gradient = rows.label_gradient(logits, first, normalizers, normalizers)
        norm_gradient = rows.rms_norm_backward(up, x, weight, scale)
        return [out, scale, norm_gradient, rows.gated(x, up), *backward, normalizers, gradient]

    expected = everything()
    for n_threads in (1, 3, 40):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        assert all(torch.equal(a, b) for a, b in zip(everything(), expected, strict=True))


def test_what_they_do_not_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(4, 32).bfloat16()
    assert rows.can_compute(x, x)
    assert rows.can_compute(x, x[0]) and not rows.can_compute(x, x[:2]) and not rows.can_compute(x, x[0, :16])
    assert not rows.can_compute(x, x.float())
    assert not rows.can_compute(x.t().contiguous().t(), x)
    odd = torch.zeros(4, 24).bfloat16()
    assert rows.can_read(odd) and not rows.can_compute(odd)
    monkeypatch.setattr(rows, "library", lambda: None)
    assert not rows.can_compute(x, x)
