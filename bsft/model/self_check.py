"""Which road gives a model's own numbers: tried on a small copy when the model is loaded.

Where a road's numbers are not those of transformers, the patches that are at fault are left out of it; where it is
wrong without any, it is refused with a sentence, and the next slower one is tried.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedModel

from bsft.model.road_trial import OnTrial, RoadTrial
from bsft.model.roads import WHOLE, Road
from bsft.model.small_copy import small_copy
from bsft.records.errors import BadInput

log = logging.getLogger(__name__)
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Subject:
    """A model that was loaded and not changed yet, with the longest sequence that it will read."""

    name: str
    causal: PreTrainedModel
    max_length_tokens: int


def choose_road(subject: Subject, batching: str, patches: frozenset[str], on_trial: OnTrial) -> Road:
    """The fastest road that gives transformers' own numbers. The model and all random states stay as they are.

    Args:
        batching: what is wanted; with `flat` no tree is tried.
        patches: names of those that are wanted.

    Raises:
        BadInput: the model fails by itself, or does not read token by token.
    """
    refused: dict[Road, str] = {}
    trees = [Road("tree", patches=patches)] if batching == "tree" else []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = RoadTrial(small_copy(subject.causal, subject.max_length_tokens), on_trial)
        if (fault := trial.fault()) is not None:
            raise BadInput(f"model={subject.name}: {type(subject.causal).__name__} cannot be used: {fault}")
        for road in (*trees, Road("flat", patches=patches), WHOLE):
            difference = trial.difference(road)
            chosen = road
            if difference is not None and road.patches:
                difference = trial.difference(replace(road, patches=_NONE))
                chosen = _with_sound_patches(subject, trial, road) if difference is None else road
            if difference is None:
                for other, reason in refused.items():
                    what = f"model={subject.name}: {other} are refused for {type(subject.causal).__name__}"
                    log.warning("%s, because %s; reading %s instead", what, reason, chosen)
                return chosen
            refused[road] = difference
    adapters = "; name other layers in method.lora.targets" if trial.has_adapters else ""
    what = f"model={subject.name}: {type(subject.causal).__name__} cannot be used with this method"
    raise BadInput(f"{what}: even with {WHOLE}, {refused[WHOLE]}{adapters}")


def _with_sound_patches(subject: Subject, trial: RoadTrial, road: Road) -> Road:
    """The road with those of its patches that give transformers' numbers each alone and then together, or with none."""
    alone = {name: trial.difference(replace(road, patches=frozenset({name}))) for name in sorted(road.patches)}
    for name, difference in alone.items():
        if difference is not None:
            log.info("model=%s: %s is left out, because %s", subject.name, name, difference)
    sound = replace(road, patches=frozenset(name for name, difference in alone.items() if difference is None))
    return sound if sound != road and trial.difference(sound) is None else replace(road, patches=_NONE)
