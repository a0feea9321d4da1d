"""Mixed precision: products are bf16, and what layers add up stays float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import ARCHITECTURES
from making import (
    examples_of,
    items_of,
    make_backbone,
    make_renderer,
    method_config,
    model_config,
    relative_error,
    shaken,
)
from torch import Tensor, nn

from bsft import config as cfg
from bsft.data.batches import flat_batch, tree_batch
from bsft.data.methods import method_of
from bsft.model import tiny
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.parts import decoder_layers
from bsft.model.road_trial import WHOLE
from bsft.model.tiny import tiny_tokenizer
from bsft.scoring.generate import generate

MODELS = ["llama", "llama_untied", "qwen2", "gemma3"]
IDS = torch.tensor([[1, *range(40, 100)]])


def stream_of(backbone: Backbone) -> list[Tensor]:
    """What each layer hands to the next, and the last states."""
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: seen.append(out)) for layer in decoder_layers(backbone.causal)
    ]
    with torch.no_grad():
        seen.append(backbone.hidden_states(IDS))
    for hook in hooks:
        hook.remove()
    return seen


def narrowed(backbone: Backbone) -> Backbone:
    """With a bf16 stream, as a model has that is wholly in bf16."""
    backbone.causal.bfloat16()
    return backbone


@pytest.mark.parametrize("method", ["baseline", "behavior_sft"])
@pytest.mark.parametrize("architecture", MODELS)
def test_the_stream_is_float32_and_far_nearer_to_it_than_a_bf16_stream(
    architecture: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tiny._SIZES, "num_hidden_layers", 12)

    def made(precision: str = "32-true") -> Backbone:
        backbone = make_backbone(architecture, method_config(method), precision=precision)
        with torch.no_grad():  # in trained models too a layer adds little to what there is
            for name, parameter in backbone.causal.named_parameters():
                parameter.mul_(100 if "embed_tokens" in name else 1)
        return backbone

    exact, mixed, bf16 = (stream_of(each) for each in (made(), made("bf16-mixed"), narrowed(made())))
    assert {states.dtype for states in mixed} == {torch.float32}
    assert {states.dtype for states in bf16} == {torch.bfloat16}
    errors = [[relative_error(a.float(), b) for a, b in zip(found, exact, strict=True)] for found in (mixed, bf16)]
    assert all(ours < theirs / 4 for ours, theirs in zip(*errors, strict=True))


def test_layers_multiply_in_bf16_and_the_output_layer_in_float32() -> None:
    backbone = make_backbone("llama_untied", method_config("baseline"), precision="bf16-mixed")
    made: dict[str, torch.dtype] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _, __, out: made.update({name: out.dtype})

    for name, module in backbone.causal.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(note(name))
    backbone.road = WHOLE
    with torch.no_grad():
        logits = backbone.logits(backbone.hidden_states(IDS))
    assert logits.dtype == made.pop("lm_head") == torch.float32
    assert len(made) == 14 and set(made.values()) == {torch.bfloat16}


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_logits_of_labels_are_float32_and_no_two_are_rounded_to_one(tuning: str) -> None:
    backbone = shaken(make_backbone("llama", method_config(tuning=tuning), precision="bf16-mixed"))
    batch = tree_batch(examples_of(backbone, [0]), behavior_weight=1.0)
    with backbone.reading("tree"), torch.no_grad():
        logits = backbone.logits(backbone.label_states(batch))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())


@pytest.mark.parametrize(
    "model_type",
    [
        pytest.param(name, marks=[] if name in ("mixtral", "gpt2", "phi", "mamba") else pytest.mark.slow)
        for name in ARCHITECTURES
    ],
)
def test_every_architecture_can_be_fitted_and_speak_in_mixed_precision(model_type: str, tmp_path: Path) -> None:
    architecture = ARCHITECTURES[model_type]
    architecture.model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    method = method_config(lora=cfg.LoraConfig(rank=2, targets=architecture.targets))
    model = model_config(name=model_type, source="local", id=None, path=str(tmp_path))
    backbone = load_backbone(model, method_of(method), precision="bf16-mixed")
    examples = examples_of(backbone, [0])[:3]
    tree, flat = tree_batch(examples, behavior_weight=1.0), flat_batch(examples, pad_id=0, behavior_weight=1.0)
    with backbone.reading(backbone.road.batching):
        states = backbone.label_states(tree if backbone.road.batching == "tree" else flat)
    assert backbone.logits(states).dtype == torch.float32
    gradients = torch.autograd.grad(states.sum(), list(backbone.trainable().values()), allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)
    renderer = make_renderer(backbone)
    candidates = [renderer.candidates(item) for item in items_of([0])[:1]]
    assert len(generate(backbone, candidates, [None], max_new_tokens=2, end_of_turn=renderer.end_of_turn)) == 1
