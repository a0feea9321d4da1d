"""Replacements for parts of a model's own forward pass that save time and memory and change no result.

`PATCHES` lists them (docs/performance.md shows the table), and only `install` puts them into a model.
`model.fast=false` leaves all of them out: what remains is transformers and PEFT. Knows nothing of methods and training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bsft.model.fast import frozen_layers, gated_mlp, lora, norms, tree_attention

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone


@dataclass(frozen=True)
class Patch:
    """One thing that is put into a model.

    Attributes:
        replaces: the code that computes the same without it.
        why: what it saves, and how.
        gain: what was measured.
        when: the models and inputs that it takes.
        applies: whether it can be used on a backbone.
        install: puts it into a backbone.
    """

    name: str
    replaces: str
    why: str
    gain: str
    when: str
    applies: Callable[[Backbone], bool]
    install: Callable[[Backbone], None]


def _has_adapters(backbone: Backbone) -> bool:
    return backbone.adapted is not None


PATCHES = (
    Patch(
        name="tree attention",
        replaces="attention written out block by block (`model/attention.py`)",
        why="kernels keep no scores: C++ for bf16 on CPUs with AVX512-BF16, torch's fused kernel on other CPUs, "
        "FlexAttention on CUDA",
        gain="keeps 404 instead of 523 MiB",
        when="trees; no dropout, soft cap or sinks",
        applies=lambda backbone: backbone.road.batching == "tree",
        install=tree_attention.install,
    ),
    Patch(
        name="LoRA",
        replaces="PEFT's `Linear.forward`",
        why="no casts of activations to fp32, no separate scaling and addition",
        gain="2.90 instead of 3.20 s a step in bf16 (EPYC); alone keeps 533 instead of 523 MiB, but lets what it reads "
        "be made again",
        when="adapters without dropout on unquantised layers",
        applies=_has_adapters,
        install=lora.install,
    ),
    Patch(
        name="gated MLP",
        replaces="`LlamaMLP.forward`, `Qwen2MLP.forward`",
        why="the activation and its product are made again in the backward pass; in bf16 on CPU in C++",
        gain="keeps 467 instead of 523 MiB",
        when="adapters; MLPs with SiLU",
        applies=_has_adapters,
        install=gated_mlp.install,
    ),
    Patch(
        name="norms",
        replaces="`LlamaRMSNorm.forward`, `Qwen2RMSNorm.forward`",
        why="no float32 copy is kept, and layers that read a norm keep its input instead of its output; in bf16 on CPU "
        "in C++",
        gain="with the LoRA patch, in the paper's shape, 1,374 instead of 1,628 MiB; alone nothing in float32",
        when="adapters; norms whose weights are frozen",
        applies=_has_adapters,
        install=norms.install,
    ),
    Patch(
        name="frozen layers",
        replaces="the decoder's `forward` in training",
        why="no backward pass where nothing that is trained can be reached",
        gain="2.19 instead of 2.72 s, keeps 238 instead of 425 MiB (adapters from layer 24 of 30)",
        when="trees, behaviour tokens, and no adapters in the lowest layers (`trainer.fit.first_layer`)",
        applies=frozen_layers.applies,
        install=frozen_layers.install,
    ),
)
NAMES = frozenset(patch.name for patch in PATCHES)


def install(backbone: Backbone) -> None:
    """Puts into a backbone what its road names and what applies to it."""
    for patch in PATCHES:
        if patch.name in backbone.road.patches and patch.applies(backbone):
            patch.install(backbone)


def table() -> list[str]:
    """The lines of the table in docs/performance.md."""
    rows = [(p.name, p.replaces, p.when, p.why, p.gain) for p in PATCHES]
    cells = [("patch", "replaces", "when", "why", "gain"), (":--",) * 5, *rows]
    return [f"| {' | '.join(row)} |" for row in cells]
