"""Which items each step holds: whole cases, twins together, the same for flat and tree batching and for all methods."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import items_of, make_backbone, make_config, make_renderer, method_config

from bsft import config as cfg
from bsft.data.batches import Step
from bsft.data.datamodule import BehaviorBenchDataModule, plan_steps
from bsft.data.selection import select_items
from bsft.records.errors import BadInput
from bsft.records.store import Benchmark, open_benchmark


@pytest.fixture(scope="module")
def benchmark(small: Path) -> Benchmark:
    return open_benchmark(small)


def select(benchmark: Benchmark, limit: int | None = None, **data: Any) -> list[str]:
    config = cfg.JsonlConfig(name="small", path="unused", **data)
    return [item.id for item in select_items(benchmark, "train", config, limit)]


# --- selection ------------------------------------------------------------------------------------------------------


def test_a_limit_keeps_whole_cases_and_a_larger_one_keeps_more_of_the_same(benchmark: Benchmark) -> None:
    everything = select(benchmark)
    assert len(everything) == 48
    for limit, n in ((4, 4), (7, 4), (8, 8), (23, 20), (48, 48), (99, 48)):
        chosen = select(benchmark, limit)
        assert (len(chosen), chosen) == (n, everything[:n])


def test_a_limit_below_one_case_still_keeps_one(benchmark: Benchmark) -> None:
    assert len(select(benchmark, 1)) == 4


def test_tasks_select_items(benchmark: Benchmark) -> None:
    assert len(select(benchmark, tasks=["treatment_planning"])) == 12
    assert len(select(benchmark, 2, tasks=["critical_data_alert"])) == 2


def test_an_unknown_task_and_an_empty_selection_are_refused(benchmark: Benchmark) -> None:
    with pytest.raises(
        BadInput, match=r"data\.tasks: unknown small_talk; .* has critical_data_alert, lab_inter|lab_in"
    ):
        select(benchmark, tasks=["small_talk"])
    config = cfg.JsonlConfig(name="small", path="unused")
    with pytest.raises(BadInput, match="no split 'dev'"):
        select_items(benchmark, "dev", config, None)


# --- the plan of a training -----------------------------------------------------------------------------------------

ITEMS = items_of(range(10))


def fit(**options: Any) -> cfg.FitConfig:
    return cfg.FitConfig(**options)


@given(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 5)), st.integers(1, 3), st.integers(0, 99))
def test_every_epoch_holds_every_item_once(n_cases: int, n_items: int | None, n_epochs: int, seed: int) -> None:
    recipe = fit(cases_per_step=n_cases, items_per_case=n_items, max_epochs=n_epochs)
    steps = plan_steps(ITEMS, recipe, seed)
    assert Counter(i for step in steps for i in step) == Counter(dict.fromkeys(range(len(ITEMS)), n_epochs))
    one_epoch = plan_steps(ITEMS, fit(cases_per_step=n_cases, items_per_case=n_items), seed)
    assert steps[: len(one_epoch)] == one_epoch


@given(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 5)), st.integers(0, 99))
def test_twins_are_in_one_step_and_a_step_has_few_cases(n_cases: int, n_items: int | None, seed: int) -> None:
    steps = plan_steps(ITEMS, fit(cases_per_step=n_cases, items_per_case=n_items), seed)
    assert steps
    for step in steps:
        ids = {ITEMS[i].id for i in step}
        assert all(ITEMS[i].twin_id in ids for i in step if ITEMS[i].twin_id is not None)
        per_case = Counter(ITEMS[i].case_id for i in step)
        assert len(per_case) <= n_cases
        if n_items is not None:
            assert max(per_case.values()) <= max(n_items, 2)


def test_epochs_and_seeds_shuffle_and_the_same_seed_repeats() -> None:
    recipe = fit(max_epochs=2)
    steps = plan_steps(ITEMS, recipe, 0)
    assert steps == plan_steps(ITEMS, recipe, 0)
    assert steps != plan_steps(ITEMS, recipe, 1)
    assert steps[:3] != steps[3:]


def test_max_steps_cuts_the_plan_and_does_not_change_it() -> None:
    assert plan_steps(ITEMS, fit(max_epochs=9, max_steps=4), 0) == plan_steps(ITEMS, fit(max_epochs=9), 0)[:4]


def test_a_step_holds_different_cases_first() -> None:
    """Chunks go out in rounds: two of the same case meet only where a round ends."""
    steps = plan_steps(ITEMS, fit(cases_per_step=5, items_per_case=2), 0)
    assert [len({ITEMS[i].case_id for i in step}) for step in steps] == [5, 5, 5, 5, 3]


# --- the module -----------------------------------------------------------------------------------------------------


def datamodule(
    benchmark: Benchmark,
    method: str = "behavior_sft",
    batching: str = "tree",
    *,
    rank: int = 0,
    world_size: int = 1,
    global_step: int = 0,
    **options: Any,
) -> BehaviorBenchDataModule:
    chosen = method_config(method)
    config = make_config(benchmark.path, method=chosen, batching=batching, **options)
    renderer = make_renderer(make_backbone(method=chosen), chosen, scene_tokens=config.data.scene_tokens)
    module = BehaviorBenchDataModule(config, benchmark, renderer, batching=batching)
    module.setup("fit")
    module.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, global_step=global_step)  # type: ignore[assignment]
    return module


def test_flat_and_tree_serve_the_same_examples_in_every_step(benchmark: Benchmark) -> None:
    flat, tree = (list(datamodule(benchmark, batching=b).train_dataloader()) for b in ("flat", "tree"))
    assert len(flat) == len(tree) == 3
    for a, b in zip(flat, tree, strict=True):
        assert a.n_answer_tokens == b.n_answer_tokens
        assert _targets(a) == _targets(b)
        assert {x.tree is None for x in a.batches} == {True} and {x.tree is None for x in b.batches} == {False}


def _targets(step: Step) -> Counter[int]:
    """Target -> summed weight."""
    found: Counter[int] = Counter()
    for batch in step.batches:
        for target, weight in zip(batch.targets.tolist(), batch.weights.tolist(), strict=True):
            found[target] += weight
    return found


def test_general_sft_serves_what_behavior_sft_serves_minus_the_token(benchmark: Benchmark) -> None:
    general, behavior = (datamodule(benchmark, method) for method in ("general_sft", "behavior_sft"))
    assert general.plan == behavior.plan
    for a, b in zip(general.train_dataloader(), behavior.train_dataloader(), strict=True):
        assert a.n_answer_tokens == b.n_answer_tokens
        without_tokens = {target: n for target, n in _targets(b).items() if target < 259}
        assert _targets(a) == without_tokens
        assert sum(_targets(b).values()) - sum(_targets(a).values()) == sum(x.n_examples for x in b.batches)


def test_training_goes_on_where_it_stopped(benchmark: Benchmark) -> None:
    options: Any = {"fit": {"max_epochs": 2}}
    whole = [_targets(step) for step in datamodule(benchmark, **options).train_dataloader()]
    loader = datamodule(benchmark, global_step=4, **options).train_dataloader()
    assert [_targets(step) for step in loader] == whole[4:]
    assert len(loader) == 6, "Lightning counts the whole training"


def test_ranks_share_a_steps_cases_and_its_denominator(benchmark: Benchmark) -> None:
    whole = list(datamodule(benchmark).train_dataloader())
    ranks = [list(datamodule(benchmark, rank=r, world_size=2).train_dataloader()) for r in range(2)]
    for step, first, second in zip(whole, *ranks, strict=True):
        assert step.n_answer_tokens == first.n_answer_tokens == second.n_answer_tokens
        assert _targets(first) + _targets(second) == _targets(step)
        assert sum(b.n_examples for b in first.batches) == sum(b.n_examples for b in second.batches)


def test_a_rank_without_a_case_reads_another_ranks_and_learns_nothing(benchmark: Benchmark) -> None:
    n_cases = 4
    whole = list(datamodule(benchmark).train_dataloader())
    for step, idle in zip(
        whole, datamodule(benchmark, rank=n_cases, world_size=n_cases + 1).train_dataloader(), strict=True
    ):
        assert idle.batches and idle.n_answer_tokens == step.n_answer_tokens
        assert set(_targets(idle)) <= set(_targets(step))
        assert not any(_targets(idle).values())


def test_micro_batches_keep_the_denominator_of_the_whole_step(benchmark: Benchmark) -> None:
    options: Any = {"fit": {"micro_batch_tokens": 200}}
    for whole, cut in zip(
        datamodule(benchmark).train_dataloader(), datamodule(benchmark, **options).train_dataloader(), strict=True
    ):
        assert len(whole.batches) == 1 < len(cut.batches)
        assert whole.n_answer_tokens == cut.n_answer_tokens == sum(b.n_answer_tokens for b in cut.batches)


def test_validation_is_one_element_of_whole_cases(benchmark: Benchmark) -> None:
    [candidates] = list(datamodule(benchmark, data={"max_val_items": 8}).val_dataloader())
    assert len(candidates) == 8
    assert {c.item.split for c in candidates} == {"val"}


def test_twins_are_shortened_alike(benchmark: Benchmark) -> None:
    module = datamodule(benchmark, data={"scene_tokens": 100})
    by_id = {c.item.id: c for c in module.candidates("test", None)}
    pairs = [(c, by_id[c.item.twin_id]) for c in by_id.values() if c.item.twin_id]
    assert pairs and all(a.dropped_turns == b.dropped_turns for a, b in pairs)
    assert any(a.dropped_turns for a, _ in pairs)


def test_the_behaviour_weight_is_zero_for_methods_without_tokens(benchmark: Benchmark) -> None:
    assert datamodule(benchmark, "general_sft").behavior_weight == 0
    assert datamodule(benchmark, "behavior_sft").behavior_weight == 1


def test_a_worker_makes_the_same_steps(benchmark: Benchmark) -> None:
    module = datamodule(benchmark)
    expected = [_targets(step) for step in module.train_dataloader()]
    module.n_workers = 1
    random_state = torch.random.get_rng_state()
    assert [_targets(step) for step in module.train_dataloader()] == expected
    assert torch.equal(torch.random.get_rng_state(), random_state)
