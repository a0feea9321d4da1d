"""Every patch of `fast.PATCHES` gives the plain model's numbers, and is taken; `model.fast=false` leaves all out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
import torch
from making import examples_of, method_config, model_config, relative_error, shaken
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor

import bsft
from bsft import config as cfg
from bsft.data.batches import flat_batch, tree_batch
from bsft.data.methods import method_of
from bsft.model import fast
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.module import BehaviorLM
from bsft.model.road_trial import Road

TOLERANCE = 1e-5
"""Relative difference of the loss and of each gradient, in float32."""
FILES = {patch.name: inspect.getfile(patch.install) for patch in fast.PATCHES}
TABLE = Path(bsft.__file__).parents[1] / "docs" / "performance.md"


def plain(architecture: str) -> Backbone:
    """Without patches; the first layer has no adapter, so that each of them could apply."""
    model = model_config(architecture, fast=False)
    return shaken(load_backbone(model, method_of(method_config()), first_layer=1))


def patched(architecture: str, *names: str) -> Backbone:
    backbone = plain(architecture)
    backbone.road = Road("tree", patches=frozenset(names))
    fast.install(backbone)
    return backbone


@contextmanager
def recorded() -> Iterator[set[str]]:
    """The files of all Python functions that are called."""
    files: set[str] = set()

    def note(frame: FrameType, *_: object) -> None:
        files.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)


def loss_and_gradients(backbone: Backbone, batching: str) -> tuple[dict[str, Tensor], set[str]]:
    """Also the files of the patches that took part in the forward pass."""
    examples = examples_of(backbone, [0, 1])
    tree, flat = tree_batch(examples, behavior_weight=0.5), flat_batch(examples, pad_id=0, behavior_weight=0.5)
    with backbone.reading(batching), recorded() as called:
        loss = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1).loss_sum(tree if batching == "tree" else flat)
    trained = backbone.trainable()
    gradients = dict(zip(trained, torch.autograd.grad(loss, list(trained.values())), strict=True))
    return {"loss": loss.detach(), **gradients}, called & set(FILES.values())


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("name", [*FILES, "all"])
def test_a_patch_gives_the_plain_models_numbers_and_is_taken(name: str, architecture: str) -> None:
    expected, without = loss_and_gradients(plain(architecture), "tree")
    assert without == set()
    names = list(FILES) if name == "all" else [name]
    found, called = loss_and_gradients(patched(architecture, *names), "tree")
    assert called >= {FILES[each] for each in names}
    assert found.keys() == expected.keys() and len(found) == 16
    for key, value in expected.items():
        assert value.norm() > 0, f"{key} is not exercised"
        assert relative_error(found[key], value) <= TOLERANCE, key


def test_trees_without_patches_give_what_separate_sequences_give() -> None:
    backbone = plain("llama")
    (tree, _), (flat, _) = (loss_and_gradients(backbone, batching) for batching in ("tree", "flat"))
    assert all(relative_error(tree[key], value) <= TOLERANCE for key, value in flat.items())


def test_fast_false_leaves_transformers_and_peft() -> None:
    backbone = plain("llama")
    assert backbone.road == Road("tree", patches=frozenset())
    changed = {type(module) for module in backbone.module.modules() if "forward" in vars(module)}
    assert changed == {TrainableTokensWrapper}, "whose own leaves out biases (`model/token_rows.py`)"
    assert "decode" not in vars(backbone)


def test_what_does_not_apply_is_not_installed() -> None:
    backbone = load_backbone(model_config(fast=False), method_of(method_config("baseline")), batching="flat")
    backbone.road = replace(backbone.road, patches=fast.NAMES)
    fast.install(backbone)
    assert not any("forward" in vars(module) for module in backbone.module.modules())
    assert "decode" not in vars(backbone) and backbone.tree_attention == "bsft_tree"


def test_the_documentation_says_of_each_patch_what_it_does() -> None:
    table = TABLE.read_text(encoding="utf-8").partition("| patch | replaces | when | why | gain |\n")[2]
    rows = [line.strip("|").split("|") for line in table.partition("\n\n")[0].splitlines()[1:]]
    assert [row[0].strip() for row in rows] == [patch.name for patch in fast.PATCHES]
    assert all(len(row) == 5 and all(map(str.strip, row)) for row in rows)
