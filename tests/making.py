"""What tests of the model side are made of: configurations, tiny backbones and renderers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from small import case_items
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from bsft import config as cfg
from bsft.data.methods import Method, method_of
from bsft.data.render import Example, Renderer
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.parts import head_of
from bsft.model.tiny import tiny_tokenizer
from bsft.records.schema import BEHAVIORS, Item
from bsft.scoring.choices import Context

ALL_CONTEXTS: tuple[Context, ...] = (None, *BEHAVIORS)
SHORT_PROMPT = "Reply."
METHODS: dict[str, type[cfg.MethodConfig]] = {
    "baseline": cfg.BaselineConfig,
    "instructed": cfg.InstructedConfig,
    "few_shot": cfg.FewShotConfig,
    "general_sft": cfg.SftConfig,
    "behavior_sft": cfg.BehaviorSftConfig,
    "classifier": cfg.ClassifierConfig,
}


def method_config(name: str = "behavior_sft", **options: Any) -> Any:
    """A method's config with a short system prompt, so that expected ids can be written down."""
    return METHODS[name](**{"name": name, "system_prompt": SHORT_PROMPT, **options})


def model_config(architecture: str = "llama", **options: Any) -> cfg.ModelConfig:
    return cfg.ModelConfig(**{"name": "tiny", "source": "random", "id": architecture, **options})


def make_config(
    path: Path | str = "nowhere",
    *,
    method: cfg.MethodConfig | None = None,
    model: cfg.ModelConfig | None = None,
    data: dict[str, Any] | None = None,
    fit: dict[str, Any] | None = None,
    **options: Any,
) -> cfg.Config:
    """A job on the tiny model; `options` are fields of `Config` or, failing that, of its trainer."""
    of_root = {f.name for f in dataclasses.fields(cfg.Config)}
    root = {key: value for key, value in options.items() if key in of_root}
    trainer = {key: value for key, value in options.items() if key not in of_root}
    return cfg.Config(
        **{
            "method": method or method_config(),
            "model": model or model_config(),
            "data": cfg.JsonlConfig(name="small", path=str(path), **(data or {})),
            "trainer": cfg.TrainerConfig(name="cpu", **{"fit": cfg.FitConfig(**(fit or {})), **trainer}),
            "logger": cfg.LoggerConfig(name="none"),
            **root,
        }
    )


def make_backbone(architecture: str = "llama", method: cfg.MethodConfig | None = None, **options: Any) -> Backbone:
    return load_backbone(model_config(architecture), method_of(method or method_config()), **options)


def make_renderer(backbone: Backbone, method: cfg.MethodConfig | Method | None = None, **options: Any) -> Renderer:
    chosen = method or method_config()
    own = chosen if isinstance(chosen, Method) else method_of(chosen)
    return Renderer(backbone.tokenizer, own, vocabulary=backbone.vocabulary, **options)


def items_of(cases: Sequence[int], split: str = "train") -> list[Item]:
    """The small benchmark's items of some cases, without files."""
    return [item for case in cases for item in case_items(case, split)]


def examples_of(backbone: Backbone, cases: Sequence[int], method: cfg.MethodConfig | None = None) -> list[Example]:
    renderer = make_renderer(backbone, method)
    return [renderer.example(item) for item in items_of(cases)]


def write_local_model(directory: Path, n_weight_bytes: int, config: str = "{}") -> Path:
    """A model of the user's with weights that nobody can load, and a tokenizer."""
    directory.mkdir()
    (directory / "config.json").write_text(config)
    (directory / "model.safetensors").write_bytes(bytes(n_weight_bytes))
    tiny_tokenizer().save_pretrained(directory)
    return directory


def shaken(backbone: Backbone, seed: int = 0, noise_scale: float = 0.15) -> Backbone:
    """A backbone whose weights are far from their start, frozen ones too: attention that prefers some tokens, adapters
    that do something, and gradients everywhere."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise_scale * noise.to(parameter.dtype))
    return backbone


def weight_of(layer: nn.Module) -> Tensor:
    """A layer's matrix or vector, which its type does not promise."""
    return layer.get_parameter("weight")


def head_weight(backbone: Backbone) -> Tensor:
    """The output layer's matrix `(V, D)`."""
    head = head_of(backbone.causal)
    assert head is not None
    return head.weight


def decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], **options: Any) -> str:
    """One text; a tokenizer's `decode` reads several as well, and no tuples by its type."""
    text = tokenizer.decode(list(ids), **options)
    assert isinstance(text, str)
    return text


def random_model(config: PretrainedConfig, **options: Any) -> PreTrainedModel:
    """A model of an architecture in float32, as if it had been loaded."""
    model: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # of transformers
        config, dtype=torch.float32, **options
    )
    model.train(False)
    return model


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())
