"""Which road gives a model's own numbers: tried on a small copy when the model is loaded.

Where a road's numbers are not those of transformers it is refused with a sentence, and the next slower one is tried.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from bsft.model.road_trial import OnTrial, RoadTrial
from bsft.model.roads import ROADS, Road
from bsft.model.small_copy import small_copy
from bsft.records.errors import BadInput

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """A model that was loaded and not changed yet, with the longest sequence that it will read."""

    name: str
    causal: PreTrainedModel
    max_length_tokens: int


def choose_road(subject: Subject, batching: str, on_trial: OnTrial) -> Road:
    """The fastest road that gives transformers' own numbers. The model and all random states stay as they are.

    Args:
        batching: what is wanted; with `flat` no tree is tried.

    Raises:
        BadInput: the model fails by itself, or does not read token by token.
    """
    refused: dict[Road, str] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = RoadTrial(small_copy(subject.causal, subject.max_length_tokens), on_trial)
        if (fault := trial.fault()) is not None:
            raise BadInput(f"model={subject.name}: {type(subject.causal).__name__} cannot be used: {fault}")
        for road in ROADS:
            if road.batching == "tree" and batching == "flat":
                continue
            difference = trial.difference(road)
            if difference is None:
                _tell(subject, refused, road)
                return road
            refused[road] = difference
    adapters = "; name other layers in method.lora.targets" if trial.has_adapters else ""
    what = f"model={subject.name}: {type(subject.causal).__name__} cannot be used with this method"
    raise BadInput(f"{what}: even with {ROADS[-1]}, {refused[ROADS[-1]]}{adapters}")


def _tell(subject: Subject, refused: dict[Road, str], chosen: Road) -> None:
    """Says what was refused and why; where only savings are, numbers and batches stay as they were asked for."""
    for road, difference in refused.items():
        if (road.batching, road.split) == (chosen.batching, chosen.split):
            log.info("model=%s: no savings: %s", subject.name, difference)
        elif not road.savings:
            what = f"model={subject.name}: {road} are refused for {type(subject.causal).__name__}"
            log.warning("%s, because %s; reading %s instead", what, difference, chosen)
