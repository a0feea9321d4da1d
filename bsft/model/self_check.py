"""Which road gives a model's own numbers: tried on a small copy when the model is loaded.

Where a road's numbers are not those of transformers, the patches that are at fault are left out of it; where it is
wrong without any, it is refused with a sentence, and the next slower one is tried.

The copy is in float32, on CPU, with every kind of the model's layers. Small models are copied whole. Of larger ones the
configuration is cut down to the first layers, up to the last kind that occurs, and the weights are random: it is the
arithmetic that is tried, not what was learnt.
"""

import copy
import logging
from dataclasses import replace
from typing import Any, cast

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel

from bsft.config import ModelConfig
from bsft.model.fast import NAMES
from bsft.model.parts import decoder_layers
from bsft.model.road_trial import WHOLE, OnTrial, Road, RoadTrial
from bsft.records.errors import BadInput

log = logging.getLogger(__name__)
_NONE: frozenset[str] = frozenset()
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


def choose_road(model: ModelConfig, causal: PreTrainedModel, batching: str, on_trial: OnTrial) -> Road:
    """The fastest road that gives transformers' own numbers; with `flat` batching no tree is tried. The model, loaded
    and not changed yet, and all random states stay as they are.

    Raises:
        BadInput: the model fails by itself, or does not read token by token.
    """
    patches = NAMES if model.fast else _NONE
    refused: dict[Road, str] = {}
    trees = [Road("tree", patches=patches)] if batching == "tree" else []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = RoadTrial(small_copy(causal, model.max_length_tokens), on_trial)
        if (fault := trial.fault()) is not None:
            raise BadInput(f"model={model.name}: {type(causal).__name__} cannot be used: {fault}")
        for road in (*trees, Road("flat", patches=patches), WHOLE):
            difference = trial.difference(road)
            chosen = road
            if difference is not None and road.patches:
                difference = trial.difference(replace(road, patches=_NONE))
                chosen = _with_sound_patches(model.name, trial, road) if difference is None else road
            if difference is None:
                for other, reason in refused.items():
                    what = f"model={model.name}: {other} are refused for {type(causal).__name__}"
                    log.warning("%s, because %s; reading %s instead", what, reason, chosen)
                return chosen
            refused[road] = difference
    adapters = "; name other layers in method.lora.targets" if trial.has_adapters else ""
    what = f"model={model.name}: {type(causal).__name__} cannot be used with this method"
    raise BadInput(f"{what}: even with {WHOLE}, {refused[WHOLE]}{adapters}")


def _with_sound_patches(name: str, trial: RoadTrial, road: Road) -> Road:
    """The road with those of its patches that give transformers' numbers each alone and then together, or with none."""
    alone = {patch: trial.difference(replace(road, patches=frozenset({patch}))) for patch in sorted(road.patches)}
    for patch, difference in alone.items():
        if difference is not None:
            log.info("model=%s: %s is left out, because %s", name, patch, difference)
    sound = replace(road, patches=frozenset(patch for patch, difference in alone.items() if difference is None))
    return sound if sound != road and trial.difference(sound) is None else replace(road, patches=_NONE)


def small_copy(causal: PreTrainedModel, max_length_tokens: int) -> PreTrainedModel:
    """A model that is small enough to try things on; windows longer than `max_length_tokens` never matter."""
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
