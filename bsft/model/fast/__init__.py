"""Replacements for parts of a model's own forward pass that save time and memory and change no result.

`PATCHES` lists them (docs/performance.md says what each replaces, when, why, and what that gains), and only `install`
puts them into a model. `model.fast=false` leaves all of them out: what remains is transformers and PEFT. Knows nothing
of methods and training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bsft.model.fast import frozen_layers, gated_mlp, lora, norms, tree_attention

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone


class Patch(NamedTuple):
    """One thing that is put into a model: whether it can be used on a backbone, and what puts it there."""

    name: str
    applies: Callable[[Backbone], bool]
    install: Callable[[Backbone], None]


def _has_adapters(backbone: Backbone) -> bool:
    return backbone.adapted is not None


PATCHES = (
    Patch("tree attention", lambda backbone: backbone.road.batching == "tree", tree_attention.install),
    Patch("LoRA", _has_adapters, lora.install),
    Patch("gated MLP", _has_adapters, gated_mlp.install),
    Patch("norms", _has_adapters, norms.install),
    Patch("frozen layers", frozen_layers.applies, frozen_layers.install),
)
NAMES = frozenset(patch.name for patch in PATCHES)


def install(backbone: Backbone) -> None:
    """Puts into a backbone what its road names and what applies to it."""
    for patch in PATCHES:
        if patch.name in backbone.road.patches and patch.applies(backbone):
            patch.install(backbone)
