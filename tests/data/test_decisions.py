"""A behaviour label after every turn: wait until the problem can be seen, then speak up."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import decoded, make_config, method_config
from small import case_items

from bsft import config as cfg
from bsft.data.batches import tree_batch
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.render import Renderer
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.model.tiny import tiny_tokenizer
from bsft.records.schema import Behavior, Item
from bsft.records.store import open_benchmark


def renderer(scene_tokens: int = 1024) -> Renderer:
    tokenizer = tiny_tokenizer()
    vocabulary = BehaviorVocabulary.add_to(tokenizer)
    return Renderer(tokenizer, method_of(method_config()), vocabulary=vocabulary, scene_tokens=scene_tokens)


TOLD: tuple[Behavior, Behavior] = ("reactive", "proactive")
REACTIVE, PROACTIVE = (BehaviorVocabulary.add_to(tiny_tokenizer()).id_of(b) for b in TOLD)


def with_visible(item: Item, turn: int | None) -> Item:
    assert item.perturbation is not None
    return item.model_copy(update={"perturbation": item.perturbation.model_copy(update={"visible_from": turn})})


LAB, _, PROBLEM, CLEAN = case_items(0, "train")


@pytest.mark.parametrize("visible", [0, 1, 2])
def test_the_problem_is_to_be_raised_from_the_turn_that_shows_it(visible: int) -> None:
    found = renderer().decisions(with_visible(PROBLEM, visible), CLEAN)
    expected = [REACTIVE] * visible + [PROACTIVE] * (3 - visible)
    assert [example.behavior_id for example in found] == expected
    assert all(example.answer_ids == () and len(example.ids) == len(example.prompt_ids) + 1 for example in found)


def test_its_twin_waits_to_the_end_and_other_items_say_nothing() -> None:
    assert [e.behavior_id for e in renderer().decisions(CLEAN, PROBLEM)] == [REACTIVE] * 3
    assert renderer().decisions(LAB) == []
    assert renderer().decisions(with_visible(PROBLEM, None), CLEAN) == []


def test_prompts_hold_the_turns_so_far_and_no_request() -> None:
    one = renderer()
    texts = [decoded(one.tokenizer, example.prompt_ids) for example in one.decisions(CLEAN, PROBLEM)]
    for n, text in enumerate(texts, start=1):
        assert [turn.text in text for turn in CLEAN.turns] == [i < n for i in range(3)]
        assert CLEAN.query is not None and CLEAN.query not in text
        assert text.endswith("assistant\n")


def test_turns_that_a_scene_lost_are_not_decided_about() -> None:
    one = renderer(scene_tokens=90)
    dropped = one.dropped_turns(CLEAN, PROBLEM)
    assert dropped
    found = one.decisions(CLEAN, PROBLEM)
    assert [e.item_id for e in found] == [f"{CLEAN.id}@{i}" for i in range(3) if i not in dropped]


def test_a_turn_costs_a_tree_a_few_tokens() -> None:
    one = renderer()
    alone = tree_batch([one.example(CLEAN)], behavior_weight=1.0)
    every_turn = tree_batch([one.example(CLEAN), *one.decisions(CLEAN)], behavior_weight=1.0)
    after = len(one.tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False))
    assert every_turn.input_ids.numel() <= alone.input_ids.numel() + 3 * after
    assert len(every_turn.targets) == len(alone.targets) + 3
    assert every_turn.n_answer_tokens == alone.n_answer_tokens


@pytest.mark.parametrize("every_turn", [False, True])
def test_training_steps_hold_them_where_they_are_asked_for(small: Path, every_turn: bool) -> None:
    method = method_config(behavior=cfg.BehaviorConfig(every_turn=every_turn))
    data = BehaviorBenchDataModule(
        make_config(small, method=method), open_benchmark(small), renderer(), batching="tree"
    )
    data.setup("fit")
    step = data.steps()[0]
    assert data.train_items is not None
    n_items = len(data.plan[0])
    clean = [i for i in data.plan[0] if data.train_items[i].variant == "clean"]
    assert clean and sum(batch.n_examples for batch in step.batches) == n_items + 3 * len(clean) * every_turn
