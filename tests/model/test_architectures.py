"""Every architecture gives transformers' own numbers, or is refused with a sentence: option scores and the gradient of
one training step, read as trees and as separate sequences. docs/models.md says how each is read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from architectures import ARCHITECTURES, Architecture, row_of
from making import examples_of, items_of, make_renderer, method_config, model_config, relative_error, shaken
from torch import Tensor
from torch.func import functional_call
from transformers import AutoModelForCausalLM, PreTrainedModel

import bsft
from bsft import config as cfg
from bsft.data.batches import flat_batches, label_weights, tree_batches
from bsft.data.methods import method_of
from bsft.data.render import Example
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.module import BehaviorLM
from bsft.model.road_trial import merged_weights
from bsft.model.tiny import tiny_tokenizer
from bsft.scoring.choices import Context, OptionScorer

BEHAVIOR_WEIGHT = 0.5
TABLE = Path(bsft.__file__).parents[1] / "docs" / "models.md"


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return ARCHITECTURES[request.param]


@pytest.fixture
def directory(architecture: Architecture, tmp_path: Path) -> Path:
    architecture.model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def method_for(architecture: Architecture) -> cfg.BehaviorSftConfig:
    method: cfg.BehaviorSftConfig = method_config(lora=cfg.LoraConfig(rank=2, targets=architecture.targets))
    return method


def loaded(architecture: Architecture, directory: Path, batching: str = "tree") -> Backbone:
    model = model_config(name=architecture.model_type, source="local", id=None, path=str(directory))
    return load_backbone(model, method_of(method_for(architecture)), batching=batching)


class Plain:
    """transformers' own model, with a backbone's weights; sequences are read one by one."""

    def __init__(self, backbone: Backbone, directory: Path) -> None:
        self._model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation=backbone.attention
        )
        self._model.resize_token_embeddings(len(backbone.tokenizer), mean_resizing=False)
        known = dict(self._model.named_parameters())
        named = backbone.causal.named_parameters()
        frozen = {name.replace(".token_adapter", "").replace(".base_layer", ""): p for name, p in named}
        weights = {name: p for name, p in {**frozen, **merged_weights(backbone)}.items() if name in known}
        assert weights.keys() == known.keys()
        self._weights = weights

    def logits(self, ids: Sequence[int]) -> Tensor:
        inputs = {"input_ids": torch.tensor([ids]), "use_cache": False}
        logits: Tensor = functional_call(self._model, self._weights, (), inputs).logits[0]
        return logits

    def log_likelihood(self, prompt: tuple[int, ...], reply: tuple[int, ...]) -> float:
        with torch.no_grad():
            log_probs = self.logits((*prompt, *reply))[len(prompt) - 1 : -1].double().log_softmax(-1)
        return log_probs.gather(1, torch.tensor(reply)[:, None]).sum().item()

    def loss(self, examples: Sequence[Example]) -> Tensor:
        losses = []
        for example in examples:
            start = len(example.prompt_ids)
            each = F.cross_entropy(
                self.logits(example.ids[:-1])[start - 1 :], torch.tensor(example.ids[start:]), reduction="none"
            )
            losses.append((each * torch.tensor(label_weights(example, BEHAVIOR_WEIGHT))).sum())
        return torch.stack(losses).sum()


@pytest.mark.parametrize("batching", ["tree", pytest.param("flat", marks=pytest.mark.slow)])
def test_scores_and_gradients_are_those_of_transformers(
    architecture: Architecture, directory: Path, batching: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "bsft"):
        backbone = shaken(loaded(architecture, directory, batching))
    if batching == "tree":
        assert row_of(architecture, backbone) in TABLE.read_text(encoding="utf-8").splitlines()
    if backbone.road.batching != batching:
        assert f"model={architecture.model_type}: prefix trees are refused for " in caplog.text
    plain = Plain(backbone, directory)

    renderer = make_renderer(backbone)
    candidates = [renderer.candidates(item) for item in items_of([0])[:2]]
    backbone.module.eval()
    scorer = OptionScorer(backbone, batching=backbone.road.batching, batch_tokens=8192)
    for scored in scorer.score(candidates, lambda *_: [None, "proactive"]):
        tokens: dict[Context, tuple[int, ...]] = {None: (), "proactive": (261,)}
        for context, token in tokens.items():
            expected = [
                plain.log_likelihood(scored.candidates.prompt_ids + token, option)
                for option in scored.candidates.option_ids
            ]
            assert scored.log_likelihoods[context] == pytest.approx(expected, rel=1e-4, abs=1e-3)

    examples = examples_of(backbone, [0])[:3]
    module = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1)
    batches = (
        tree_batches(examples, max_tokens=4096, behavior_weight=BEHAVIOR_WEIGHT)
        if backbone.road.batching == "tree"
        else flat_batches(examples, max_tokens=4096, pad_id=0, behavior_weight=BEHAVIOR_WEIGHT)
    )
    with backbone.reading(backbone.road.batching):
        [loss] = [module.loss_sum(batch) for batch in batches]
    expected_loss = plain.loss(examples)
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-5)
    trained = backbone.trainable()
    found, reference = (
        torch.autograd.grad(each, list(trained.values()), allow_unused=True) for each in (loss, expected_loss)
    )
    assert any(g is not None and g.norm() > 0 for g in reference)
    for name, mine, theirs in zip(trained, found, reference, strict=True):
        if theirs is None or theirs.norm() == 0:
            assert mine is None or mine.norm() == 0, name
        else:
            assert mine is not None and relative_error(mine, theirs) <= 1e-3, name


def test_the_table_has_no_other_rows() -> None:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(ARCHITECTURES)
    assert len(rows) >= 50
