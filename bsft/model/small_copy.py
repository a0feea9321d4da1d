"""A copy of a model that is small enough to try things on: float32, on CPU, with every kind of its layers.

Small models are copied whole. Of larger ones the configuration is cut down to the first layers, up to the last kind
that occurs, and the weights are random: it is the arithmetic that is tried, not what was learnt.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel

from bsft.model.parts import decoder_layers

MAX_PARAMETERS = 50_000_000
"""Models up to this size are copied whole."""
_N_TOKENS = 1024
"""Vocabulary of a larger model's copy."""
_WINDOW_TOKENS = 8
"""Sliding windows and chunks are cut down to this, so that even short sequences exceed them."""
_WINDOWS = ("sliding_window", "sliding_window_size", "attention_chunk_size", "window_size", "attention_window_size")
_KNOWN_TOKENS = 20
"""The length beyond which longrope changes its rotation is cut down to this, so that short sequences reach it."""
_ON_CPU = ("eager", "sdpa")


def small_copy(causal: PreTrainedModel, max_length_tokens: int) -> PreTrainedModel:
    """
    Args:
        max_length_tokens: of what the model will read; longer windows never matter.
    """
    config = copy.deepcopy(causal.config)
    text = config.get_text_config()
    for name in _WINDOWS:
        value = getattr(text, name, None)
        if isinstance(value, int) and _WINDOW_TOKENS < value < max_length_tokens:
            setattr(text, name, _WINDOW_TOKENS)
    rope = getattr(text, "rope_parameters", None)
    if isinstance(rope, dict) and rope.get("rope_type") == "longrope":  # changes with a sequence's length
        known = rope.get("original_max_position_embeddings") or text.max_position_embeddings
        if known < max_length_tokens:
            rope["original_max_position_embeddings"] = _KNOWN_TOKENS
            if hasattr(text, "original_max_position_embeddings"):  # which then overrules it
                text.original_max_position_embeddings = _KNOWN_TOKENS
    quantized = hasattr(config, "quantization_config")
    # of an adapter of its own the copy would know nothing
    plain = not quantized and not any(isinstance(module, BaseTunerLayer) for module in causal.modules())
    whole = plain and sum(p.numel() for p in causal.parameters()) <= MAX_PARAMETERS
    if quantized:
        del config.quantization_config
    if not whole:
        _cut_down(text, decoder_layers(causal))
    attention: str = causal.config._attn_implementation
    made: Any = cast(Any, type(causal))._from_config(
        config, dtype=torch.float32, attn_implementation=attention if attention in _ON_CPU else "eager"
    )
    if whole:
        made.load_state_dict(causal.state_dict())
    return cast(PreTrainedModel, made.eval())


def _cut_down(text: Any, layers: nn.ModuleList) -> None:
    lists = [name for name, value in vars(text).items() if isinstance(value, list) and len(value) == len(layers)]
    firsts: dict[Any, int] = {}
    for i, layer in enumerate(layers):
        parts = tuple((name, type(part)) for name, part in layer.named_modules())
        firsts.setdefault((parts, *(repr(getattr(text, name)[i]) for name in lists)), i)
    n_kept = max([1, *firsts.values()]) + 1
    for name in lists:
        setattr(text, name, getattr(text, name)[:n_kept])
    if layers:
        text.num_hidden_layers = min(n_kept, len(layers))
    text.vocab_size = min(_N_TOKENS, text.vocab_size)
    text.pad_token_id = text.bos_token_id = text.eos_token_id = None
    if hasattr(text, "initializer_range"):  # attention that prefers some tokens
        text.initializer_range = max(text.initializer_range, 2 / text.hidden_size**0.5)
