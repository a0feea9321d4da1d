"""The examples and candidates that both sides get: of synthetic shapes, and a real batch of the open benchmark."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.prefix_tree import build_tree
from bsft.data.render import Candidates, Example, Renderer
from bsft.data.source import obtain
from bsft.model.backbone import load_backbone
from bsft.records.schema import Item, Option, Turn

OPEN_CASES = 40
_IDS = range(100, 40_000)
"""Ordinary ids in the vocabulary of every model here; what the tokens say does not matter to time and memory."""


@dataclass(frozen=True)
class TrainShape:
    """One case: `n_items` of `shared_tokens` and `own_tokens`, the last `label_tokens` of which are supervised."""

    n_items: int
    shared_tokens: int
    own_tokens: int
    label_tokens: int


@dataclass(frozen=True)
class ScoreShape:
    """One case, behind `exemplar_tokens` that all prompts share; each item asks its own question."""

    n_items: int
    exemplar_tokens: int
    case_tokens: int
    question_tokens: int
    n_options: int
    option_tokens: int


TRAIN_SHAPES = {"thirteen": TrainShape(13, 400, 80, 20), "paper": TrainShape(20, 2000, 100, 20)}
SCORE_SHAPES = {"zero_shot": ScoreShape(13, 0, 400, 20, 4, 10), "few_shot": ScoreShape(13, 1500, 400, 20, 4, 10)}


def train_examples(shape: TrainShape, seed: int = 0) -> list[Example]:
    """The examples of a synthetic shape; items diverge at their first own token."""
    rng = random.Random(seed)
    shared = _tokens(rng, shape.shared_tokens)
    firsts = rng.sample(_IDS, shape.n_items)
    examples = []
    for i, first in enumerate(firsts):
        own = (first, *_tokens(rng, shape.own_tokens - 1))
        cut = shape.own_tokens - shape.label_tokens
        examples.append(Example(f"case/{i}", "case", shared + own[:cut], None, own[cut:]))
    return examples


def score_candidates(shape: ScoreShape, seed: int = 0) -> tuple[tuple[int, ...], list[Candidates]]:
    """The tokens that all prompts share (exemplars), and the candidates."""
    rng = random.Random(seed)
    prefix = _tokens(rng, shape.exemplar_tokens)
    case = _tokens(rng, shape.case_tokens)
    candidates = []
    for i, first in enumerate(rng.sample(_IDS, shape.n_items)):
        prompt = (*prefix, *case, first, *_tokens(rng, shape.question_tokens - 1))
        options = tuple((start, *_tokens(rng, shape.option_tokens - 1)) for start in rng.sample(_IDS, shape.n_options))
        candidates.append(Candidates(_item(i, shape.n_options), prompt, options, ()))
    return prefix, candidates


def _tokens(rng: random.Random, n: int) -> tuple[int, ...]:
    return tuple(rng.choices(_IDS, k=n))


def _item(number: int, n_options: int) -> Item:
    """What the scorer groups and labels by; the text it scores is the candidates' ids."""
    return Item(
        id=f"case/{number}",
        case_id="case",
        task="shape",
        group="reactive",
        gold_behavior="reactive",
        autonomy="L1",
        turns=[Turn(speaker="Resident", role="resident", text="-")],
        options=[Option(text="-", label=str(k), flag=False) for k in range(n_options)],
        label="0",
        split="test",
    )


def open_examples(config: cfg.Config) -> list[Example]:
    """The first optimisation step that a job would take on its benchmark: whole cases with their twins."""
    method = method_of(config.method)
    backbone = load_backbone(config.model, method)
    renderer = Renderer(
        backbone.tokenizer,
        method,
        vocabulary=backbone.vocabulary,
        scene_tokens=config.data.scene_tokens,
        max_length_tokens=config.model.max_length_tokens,
    )
    data = BehaviorBenchDataModule(config, obtain(config.data), renderer, batching=config.trainer.batching)
    data.setup("fit")
    return [example for index in data.plan[0] for example in data.examples(index)]


def token_counts(examples: Sequence[Example]) -> tuple[int, int]:
    """Summed and distinct tokens that a training step feeds to the network."""
    tree = build_tree([example.ids[:-1] for example in examples])
    return sum(map(len, tree.paths)), tree.n_tokens
