"""The label loss against autograd over torch's own cross-entropy."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bsft.model import label_loss as module
from bsft.model.label_loss import label_loss


@pytest.mark.parametrize("at_once", [1, 300, 1 << 20])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_loss_and_gradient_are_those_of_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, at_once: int, dtype: torch.dtype, tolerance: float
) -> None:
    monkeypatch.setattr(module, "_LOGITS_AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(7, 101, generator=generator)).to(dtype).requires_grad_()
    targets, weights = torch.randint(101, (7,), generator=generator), torch.rand(7, generator=generator)
    exact = logits.detach().float().requires_grad_()
    expected = (F.cross_entropy(exact, targets, reduction="none") * weights).sum()
    found = label_loss(logits, targets, weights)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    (reference,) = torch.autograd.grad(expected / 3, exact)
    (gradient,) = torch.autograd.grad(found / 3, logits)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient.float(), reference, rtol=tolerance, atol=tolerance / 10)


def test_an_impossible_target_costs_its_margin_and_not_infinity() -> None:
    logits = torch.tensor([[0.0, 500.0]], requires_grad=True)
    loss = label_loss(logits, torch.tensor([0]), torch.ones(1))
    assert loss.item() == pytest.approx(500.0)
    assert torch.autograd.grad(loss, logits)[0].tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_labels_cost_nothing_and_narrow_integers_are_targets(dtype: torch.dtype) -> None:
    logits = torch.zeros(0, 9, dtype=dtype, requires_grad=True)
    loss = label_loss(logits, torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert loss.item() == 0 and torch.autograd.grad(loss, logits)[0].shape == (0, 9)
    logits = torch.randn(3, 9).to(dtype).requires_grad_()
    targets, weights = torch.tensor([8, 0, 3]), torch.rand(3)
    narrow, wide = (
        torch.autograd.grad(label_loss(logits, *labels), logits)[0]
        for labels in ((targets.int(), weights.double()), (targets, weights))
    )
    assert torch.equal(narrow, wide)


def test_each_row_has_a_target_and_a_weight() -> None:
    with pytest.raises(ValueError, match="3 rows of logits, 1 targets and 3 weights"):
        label_loss(torch.zeros(3, 9), torch.tensor([0]), torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_target_outside_of_the_vocabulary_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(RuntimeError, match="out of bounds"):
        label_loss(torch.zeros(2, 9, dtype=dtype), torch.tensor([0, 9]), torch.ones(2))
