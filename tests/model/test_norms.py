"""Fused norms and gated projections give what transformers' own modules give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from making import make_backbone, method_config, shaken, weight_of
from torch import Tensor, nn

from bsft import config as cfg
from bsft.model.fast import again, norms
from bsft.model.parts import decoder_of

CHANGED = {"llama": ("LlamaRMSNorm", "LlamaMLP"), "qwen2": ("Qwen2RMSNorm", "Qwen2MLP")}


def modules_of(architecture: str, name: str, **options: object) -> list[nn.Module]:
    backbone = shaken(make_backbone(architecture, method_config("general_sft", **options)))
    return [m for m in backbone.module.modules() if type(m).__name__ == name]


def output_and_gradients(module: nn.Module, x: Tensor, *, own: bool) -> list[Tensor]:
    x = x.clone().requires_grad_()
    out = type(module).forward(module, x) if own else module(x)
    trained = [p for p in module.parameters() if p.requires_grad]
    return [out, *torch.autograd.grad(out.float().square().sum(), [x, *trained])]


def width(module: nn.Module) -> int:
    return next(p for p in module.parameters()).shape[-1]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("architecture", list(CHANGED))
def test_in_fp32_output_and_gradients_are_transformers(architecture: str, which: int) -> None:
    modules = modules_of(architecture, CHANGED[architecture][which])
    assert len(modules) >= 2
    for module in modules:
        assert "forward" in vars(module), "it is fused"
        x = 3 * torch.randn(2, 5, width(module))
        for found, expected in zip(
            output_and_gradients(module, x, own=False), output_and_gradients(module, x, own=True), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_in_mixed_precision_they_are_as_near_as_bf16_can_be() -> None:
    norm, mlp = (modules_of("llama", name)[0] for name in CHANGED["llama"])
    for module in (norm, mlp):
        x = torch.randn(64, width(module))
        exact = output_and_gradients(module, x, own=True)
        for name, parameter in module.named_parameters():
            if "base_layer" in name:
                parameter.data = parameter.data.to(torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = output_and_gradients(module, x, own=False)
        assert rounded[0].dtype == torch.bfloat16 and rounded[1].dtype == torch.float32
        for found, expected in zip(rounded, exact, strict=True):
            assert (found.float() - expected).norm() < 0.03 * expected.norm()


def test_the_last_norm_whose_result_no_product_rounds_stays_float32() -> None:
    backbone = make_backbone("llama", method_config("general_sft"), precision="bf16-mixed")
    hidden = backbone.hidden_states(torch.tensor([[1, 40, 41]]))
    assert "forward" in vars(decoder_of(backbone.causal).get_submodule("norm")) and hidden.dtype == torch.float32


def test_a_norm_whose_weight_is_trained_keeps_its_own_forward() -> None:
    norm = modules_of("llama", "LlamaRMSNorm")[0]
    norm.weight.requires_grad_(True)
    x = torch.randn(3, width(norm))
    assert len(output_and_gradients(norm, x, own=False)) == 3


def test_an_mlp_without_adapters_is_exact_too() -> None:
    [module, *_] = modules_of("llama", "LlamaMLP", lora=cfg.LoraConfig(targets=["q_proj"]))
    assert "forward" in vars(module)
    x = torch.randn(2, 5, width(module))
    for found, expected in zip(
        output_and_gradients(module, x, own=False), output_and_gradients(module, x, own=True), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_what_an_mlp_keeps_is_gate_and_up_only() -> None:
    module = modules_of("llama", "LlamaMLP")[0]
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    n_rows, n_wide = 400, weight_of(module.get_submodule("gate_proj")).shape[0]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        module(torch.randn(n_rows, width(module), requires_grad=True))
    assert sum(size == n_rows * n_wide for size in kept.values()) == 2


@pytest.fixture
def norm_and_readers() -> tuple[nn.Module, list[nn.Module]]:
    backbone = shaken(make_backbone("llama", method_config("general_sft")))
    layer = next(m for m in backbone.module.modules() if type(m).__name__ == "LlamaDecoderLayer")
    return layer.input_layernorm, [getattr(layer.self_attn, f"{name}_proj") for name in "qkv"]  # type: ignore


def test_layers_that_read_a_norm_keep_its_input_and_make_its_output_once(
    norm_and_readers: tuple[nn.Module, list[nn.Module]], monkeypatch: pytest.MonkeyPatch
) -> None:
    norm, readers = norm_and_readers
    n_rows = 401  # no other tensor has as many numbers
    x = torch.randn(1, n_rows, width(norm), requires_grad=True)
    kept: set[int] = set()

    def keep(tensor: Tensor) -> Tensor:
        if tensor.numel() == x.numel():
            kept.add(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        normed = norm(x)
        loss = torch.cat([reader(normed) for reader in readers], -1).square().sum()
    assert kept == {x.data_ptr()}
    n_made = 0
    make = norms._rms_norm

    def counted(*arguments: Any) -> tuple[Tensor, Tensor]:
        nonlocal n_made
        n_made += 1
        return make(*arguments)

    monkeypatch.setattr(norms, "_rms_norm", counted)
    trained = [x, *(p for reader in readers for p in reader.parameters() if p.requires_grad)]
    first, again = (torch.autograd.grad(loss, trained, retain_graph=True) for _ in range(2))
    assert n_made == 2, "once for each pass over the kept graph"
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    copy = normed.detach().clone().requires_grad_()
    other = torch.cat([reader(copy) for reader in readers], -1).square().sum()
    for found, expected in zip(first[1:], torch.autograd.grad(other, trained[1:]), strict=True):
        torch.testing.assert_close(found, expected)


def test_what_only_looks_like_a_norms_output_is_kept_itself(
    norm_and_readers: tuple[nn.Module, list[nn.Module]],
) -> None:
    norm, _ = norm_and_readers
    x = torch.randn(2, 3, width(norm))
    moved = x.clone().requires_grad_() * 1
    normed, other = norm(moved), norm(x.requires_grad_())
    assert again.origin_of(normed) is not None
    assert again.origin_of(normed[:1]) is None
    assert again.origin_of(normed.clone()) is None
    with torch.no_grad():
        assert again.origin_of(normed) is None
        assert again.origin_of(norm(x)) is None
        moved.add_(1)
        other.add_(1)
    assert again.origin_of(normed) is None, "its input has been changed"
    assert again.origin_of(other) is None, "it has been changed itself"
    assert again.origin_of(norm(x.detach())) is None, "the norm keeps nothing"


@pytest.mark.parametrize("mixed", [False, True])
def test_what_is_made_again_is_the_same(norm_and_readers: tuple[nn.Module, list[nn.Module]], mixed: bool) -> None:
    norm = norm_and_readers[0]
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        normed = norm(torch.randn(5, width(norm)).requires_grad_())
    found = again.origin_of(normed)
    assert found is not None
    assert torch.equal(found.again(*found.sources), normed)
