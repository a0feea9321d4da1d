"""The rivals of a behaviour token: words in its place, a detector beside GeneralSFT, and tokens that were shuffled."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from jobs import Train, without_cost
from making import items_of as made_items
from making import make_backbone, make_config, make_renderer, method_config, shaken
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bsft import config as cfg
from bsft import evaluate, load_run
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.vocabulary import WORDS, BehaviorVocabulary
from bsft.model.detector import DETECTOR, Detector
from bsft.model.tiny import tiny_tokenizer
from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS, Behavior
from bsft.records.store import Benchmark
from bsft.runs.directory import PREDICTIONS
from bsft.scoring.choices import OptionScorer

WORDED = method_config(behavior=cfg.BehaviorConfig(form="words"))


@pytest.mark.parametrize("method", ["words", "classifier", "shuffled_tokens"])
def test_a_rival_is_fitted_scored_and_loaded_again(train: Train, method: str) -> None:
    ended = train(f"method={method}", "trainer.fit.max_steps=2", "data.max_eval_items=8")
    assert ended.code == 0, ended.err
    own = without_cost(ended.run)
    assert own["method"] == method and own["behavior"]["token_accuracy"] is not None
    assert bool(own["behavior"]["arms"]) == (method != "classifier")
    arms = {json.loads(line)["arm"] for line in (ended.run.path / PREDICTIONS).read_text().splitlines()}
    assert arms == {"detected" if method == "classifier" else "predicted"}
    assert (ended.run.adapter / DETECTOR).exists() == (method == "classifier")
    found = evaluate(load_run(ended.run.path)).to_dict()
    assert {key: value for key, value in found.items() if key != "cost"} == own


# --- words ----------------------------------------------------------------------------------------------------------


def test_words_are_learnt_as_the_replys_head_and_add_nothing_to_the_model() -> None:
    backbone = make_backbone(method=WORDED)
    plain = make_backbone(method=method_config("general_sft"))
    assert [*backbone.trainable()] == [*plain.trainable()] and len(backbone.tokenizer) == len(plain.tokenizer)
    item = made_items([0])[2]
    example, without = make_renderer(backbone, WORDED).example(item), make_renderer(plain).example(item)
    read = tuple(backbone.tokenizer("Proactive:\n", add_special_tokens=False)["input_ids"])
    assert example.behavior_id is None and example.prompt_ids == without.prompt_ids
    assert example.answer_ids == read + without.answer_ids


def test_words_are_scored_alike_by_trees_and_by_sequences() -> None:
    backbone = shaken(make_backbone(method=WORDED))
    candidates = [make_renderer(backbone, WORDED).candidates(item) for item in made_items([0, 1])]
    tree, flat = (
        OptionScorer(backbone, batching=batching, batch_tokens=4096).score(candidates, lambda *_: [None, *BEHAVIORS])
        for batching in ("tree", "flat")
    )
    for one, other in zip(tree, flat, strict=True):
        assert one.behavior_probs == pytest.approx(other.behavior_probs, rel=1e-3)
        for context, values in one.log_likelihoods.items():
            assert values == pytest.approx(other.log_likelihoods[context], rel=1e-3)
        assert one.log_likelihoods["reactive"] != one.log_likelihoods["proactive"]


def test_words_that_begin_alike_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bsft.data.vocabulary.WORDS", [f"Behaviour: {words}" for words in WORDS])
    with pytest.raises(BadInput, match=r"method\.behavior\.form=words: the tokenizer begins two behaviours alike"):
        BehaviorVocabulary.of_words(tiny_tokenizer())


# --- shuffled tokens ------------------------------------------------------------------------------------------------


def test_shuffled_tokens_are_those_of_other_items_and_nothing_else_changes(small: str) -> None:
    found = {}
    for shuffled in (False, True):
        method = method_config(behavior=cfg.BehaviorConfig(shuffled=shuffled))
        backbone = make_backbone(method=method)
        data = BehaviorBenchDataModule(
            make_config(small, method=method), Benchmark.open(small), make_renderer(backbone, method), batching="tree"
        )
        data.setup("fit")
        found[shuffled] = [example for i in range(len(data.train_items or ())) for example in data.examples(i)]
    pairs = list(zip(found[False], found[True], strict=True))
    assert all((a.prompt_ids, a.answer_ids) == (b.prompt_ids, b.answer_ids) for a, b in pairs)
    assert Counter(a.behavior_id for a, _ in pairs) == Counter(b.behavior_id for _, b in pairs)
    assert 0.3 < np.mean([a.behavior_id == b.behavior_id for a, b in pairs]) < 0.7, "as often as by chance"


def test_every_turn_would_teach_what_is_shuffled() -> None:
    with pytest.raises(cfg.ConfigError, match="every_turn would teach what is shuffled"):
        cfg.BehaviorConfig(shuffled=True, every_turn=True)


# --- the detector ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_behaviors", [2, 3])
def test_a_detector_is_scikit_learns_logistic_regression(n_behaviors: int) -> None:
    generator = torch.Generator().manual_seed(0)
    states = 3 + 5 * torch.randn(60, 7, generator=generator)
    due: list[Behavior] = [BEHAVIORS[-1 - i % n_behaviors] for i in range(60)]
    detector = Detector.fit(states, due, l2=2.0)
    standard = StandardScaler().fit_transform(states.numpy().astype(float))
    reference = LogisticRegression(C=0.5, max_iter=1000).fit(standard, [BEHAVIORS.index(b) for b in due])
    found = detector.probabilities(states).numpy()
    assert found[:, reference.classes_] == pytest.approx(reference.predict_proba(standard), abs=1e-3)
    assert found.sum(1) == pytest.approx(1)


def test_one_behaviour_teaches_no_detector() -> None:
    with pytest.raises(BadInput, match="one behaviour only"):
        Detector.fit(torch.zeros(2, 3), ["reactive"] * 2, l2=1.0)
