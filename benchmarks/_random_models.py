"""Models of a real size with random weights, where only time and memory matter and no weights can be had."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoConfig, AutoModelForCausalLM

from bsft.model.tiny import tiny_tokenizer
from bsft.records.paths import cache_dir


@dataclass(frozen=True)
class RandomModel:
    """An architecture; `like` is the config in conf/model whose shape it has."""

    like: str
    architecture: dict[str, Any]


RANDOM_MODELS = {
    "random_7b": RandomModel(
        "qwen2_5_7b",
        {
            "model_type": "qwen2",
            "vocab_size": 152_064,
            "hidden_size": 3584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "max_position_embeddings": 32_768,
            "tie_word_embeddings": False,
        },
    ),
}


def random_weights(name: str) -> Path:
    """The directory with that model's bf16 weights and a byte tokenizer; made on first use."""
    target = cache_dir() / "weights" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.exists():
            scratch = target.with_name(f".{name}.{os.getpid()}")
            options = dict(RANDOM_MODELS[name].architecture)
            config = AutoConfig.for_model(options.pop("model_type"), **options)
            with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
                model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
            model.save_pretrained(scratch)
            tiny_tokenizer().save_pretrained(scratch)
            scratch.rename(target)
    return target
