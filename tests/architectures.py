"""Tiny random models of the causal architectures that transformers ships, with settings that make what is peculiar to
each bite (`architectures.yaml`) and large weights.

`python tests/architectures.py` prints the table of docs/models.md.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from making import random_model
from transformers import AutoConfig, PreTrainedModel

from bsft import config as cfg
from bsft.data.methods import method_of
from bsft.model import fast
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.tiny import tiny_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "initializer_range": 0.4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@dataclass(frozen=True)
class Architecture:
    """One model type of transformers.

    Attributes:
        peculiar: what its forward pass has that Llama's has not.
        options: its configuration, over `SIZES`; None leaves a size out.
        targets: the layers that get LoRA adapters.
    """

    model_type: str
    peculiar: str
    options: dict[str, Any] = field(default_factory=dict)
    targets: list[str] = field(default_factory=lambda: ["all-linear"])

    def model(self) -> PreTrainedModel:
        options = {"vocab_size": len(tiny_tokenizer()), **SIZES, **self.options}
        config = AutoConfig.for_model(self.model_type, **{k: v for k, v in options.items() if v is not None})
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = random_model(config)
            _shake(model)
        return model


def _shake(model: PreTrainedModel) -> None:
    """Biases, norms and sinks start at 0 or 1, where leaving them out would hardly show."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))


ARCHITECTURES = {
    model_type: Architecture(model_type, **described)
    for model_type, described in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text()).items()
}


def row_of(architecture: Architecture, backbone: Backbone) -> str:
    """A row of the table in docs/models.md."""
    road = backbone.road
    cells = (
        f"`{architecture.model_type}`",
        architecture.peculiar,
        "yes" if road.batching == "tree" else "refused",
        "yes" if road.split else "one by one",
        f"without {', '.join(left_out)}" if (left_out := sorted(fast.NAMES - road.patches)) else "yes",
        backbone.attention,
    )
    return f"| {' | '.join(cells)} |"


def _table() -> None:
    for architecture in ARCHITECTURES.values():
        with tempfile.TemporaryDirectory() as place:
            architecture.model().save_pretrained(place)
            tiny_tokenizer().save_pretrained(place)
            lora = cfg.LoraConfig(rank=2, targets=architecture.targets)
            method = method_of(cfg.BehaviorSftConfig(name="behavior_sft", lora=lora))
            model = cfg.ModelConfig(name=architecture.model_type, source="local", path=place)
            print(row_of(architecture, load_backbone(model, method)))


if __name__ == "__main__":
    _table()
