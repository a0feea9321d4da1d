"""Which road gives a model's own numbers: tried on a small copy when the model is loaded.

Where a road's numbers are not those of transformers, the patches that are at fault are left out of it; where it is
wrong without any, it is refused with a sentence, and the next slower one is tried.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from transformers import PreTrainedModel

from bsft.config import ModelConfig
from bsft.model.fast import NAMES
from bsft.model.road_trial import WHOLE, OnTrial, Road, RoadTrial
from bsft.model.small_copy import small_copy
from bsft.records.errors import BadInput

log = logging.getLogger(__name__)
_NONE: frozenset[str] = frozenset()


def choose_road(model: ModelConfig, causal: PreTrainedModel, batching: str, on_trial: OnTrial) -> Road:
    """The fastest road that gives transformers' own numbers. The model and all random states stay as they are.

    Args:
        causal: what `model` describes, loaded and not changed yet.
        batching: what is wanted; with `flat` no tree is tried.

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
