"""The fused LoRA layer and the trained token rows do what PEFT's own do."""

from __future__ import annotations

import pytest
import torch
from making import make_backbone, method_config, shaken, weight_of
from peft.tuners.lora import Linear as LoraLinear
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaMLP

from bsft import config as cfg
from bsft.model import tiny
from bsft.model.road_trial import Road


def layers_of(architecture: str, **options: object) -> list[LoraLinear]:
    backbone = shaken(make_backbone(architecture, method_config("general_sft", **options)))
    return [module for module in backbone.module.modules() if isinstance(module, LoraLinear)]


def n_inputs(layer: LoraLinear) -> int:
    return weight_of(layer.get_base_layer()).shape[1]


def outputs_and_gradients(layer: LoraLinear, x: Tensor, *, own: bool) -> list[Tensor]:
    """The layer's output and its gradients for the input and the adapter, by PEFT's forward or by ours."""
    x = x.clone().requires_grad_()
    out = LoraLinear.forward(layer, x) if own else layer(x)
    wanted = [x, weight_of(layer.lora_A["default"]), weight_of(layer.lora_B["default"])]
    return [out, *torch.autograd.grad(out.float().square().sum(), wanted)]


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])  # qwen2 has biases
def test_in_fp32_output_and_gradients_are_pefts(architecture: str) -> None:
    layers = layers_of(architecture)
    assert len(layers) == 14
    for layer in layers:
        assert "forward" in vars(layer), "it is fused"
        x = torch.randn(2, 5, n_inputs(layer))
        for found, expected in zip(
            outputs_and_gradients(layer, x, own=False), outputs_and_gradients(layer, x, own=True), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_in_bf16_they_are_as_near_as_bf16_can_be_and_keep_their_dtypes() -> None:
    layer = layers_of("llama")[0]
    x = torch.randn(64, n_inputs(layer))
    exact = outputs_and_gradients(layer, x, own=True)
    layer.get_base_layer().to(torch.bfloat16)
    rounded = outputs_and_gradients(layer, x.to(torch.bfloat16), own=False)
    assert [t.dtype for t in rounded] == [torch.bfloat16, torch.bfloat16, torch.float32, torch.float32]
    for found, expected in zip(rounded, exact, strict=True):
        assert (found.float() - expected).norm() < 0.03 * expected.norm()


def test_layers_with_dropout_keep_pefts_forward() -> None:
    layers = layers_of("llama", lora=cfg.LoraConfig(dropout=0.5))
    assert all("forward" not in vars(layer) for layer in layers)


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_a_gated_mlp_is_fused_if_its_activation_is_ours(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiny._SIZES, "hidden_act", activation)
    backbone = make_backbone("llama", method_config("general_sft"))
    assert backbone.road == Road("tree")
    fused = ["forward" in vars(module) for module in backbone.module.modules() if isinstance(module, LlamaMLP)]
    assert fused[0] == (activation == "silu")  # the last one also works only where it is read


@pytest.mark.parametrize("architecture", ["llama", "llama_untied", "gemma3"])
def test_trained_rows_are_pefts(architecture: str) -> None:
    """Embedding, logits and the gradient of the rows, against the model with PEFT's own wrappers."""
    backbone = shaken(make_backbone(architecture))
    ids = torch.tensor([[1, 40, 259, 41, 261, 42, 260, 261]])
    targets = torch.tensor([[40, 259, 41, 261, 42, 260, 261, 2]])
    rows = {name: p for name, p in backbone.trainable().items() if "trainable_tokens" in name}
    assert len(rows) == (2 if architecture == "llama_untied" else 1)

    def gradients(logits: Tensor) -> list[Tensor]:
        loss = torch.nn.functional.cross_entropy(logits[0], targets[0])
        return list(torch.autograd.grad(loss, list(rows.values())))

    found = backbone.logits(backbone.hidden_states(ids))
    for module in backbone.causal.modules():
        if isinstance(module, TrainableTokensWrapper):
            del module.forward  # from here on PEFT's
    expected = backbone.causal(ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for a, b in zip(gradients(found), gradients(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
