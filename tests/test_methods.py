"""The five methods: what each tells the model, and which exemplars are shown."""

from __future__ import annotations

import pytest
from making import items_of, method_config
from small import case_items

from bsft import config as cfg
from bsft.data.methods import Method, method_of
from bsft.data.selection import choose_exemplars
from bsft.records.errors import BadInput


def test_baseline_is_the_system_prompt_alone() -> None:
    assert method_of(method_config("baseline")) == Method("baseline", "Reply.")


def test_instructed_adds_its_instruction() -> None:
    method = method_of(method_config("instructed", instruction="Warn of errors."))
    assert method == Method("instructed", "Reply. Warn of errors.")


def test_few_shot_adds_exemplars() -> None:
    assert method_of(method_config("few_shot", k=2)) == Method("few_shot", "Reply.", n_exemplars=2)


def test_only_the_fine_tuned_methods_need_fitting() -> None:
    names = ["baseline", "few_shot", "general_sft", "behavior_sft"]
    assert [name for name in names if method_of(method_config(name)).needs_fit] == ["general_sft", "behavior_sft"]


def test_general_sft_is_behavior_sft_without_the_token() -> None:
    """Both carry the same recipe; only the behaviour policy differs."""
    general, behavior = method_of(method_config("general_sft")), method_of(method_config("behavior_sft"))
    assert general.behavior is None and behavior.behavior == cfg.BehaviorConfig()
    assert general.system_prompt == behavior.system_prompt
    assert general.sft is not None and behavior.sft is not None
    assert (general.sft.tuning, general.sft.lora) == (behavior.sft.tuning, behavior.sft.lora)


TRAIN = items_of(range(8))


def test_exemplars_take_turns_over_the_groups_and_show_the_proactive_one_with_its_twin() -> None:
    shown = choose_exemplars(TRAIN, 3, seed=0)
    assert [item.group for item in shown] == ["reactive", "balanced", "proactive", "proactive"]
    assert [item.variant for item in shown] == ["plain", "plain", "perturbed", "clean"]
    assert shown[3].id == shown[2].twin_id


def test_exemplars_come_from_different_cases_while_there_are_any() -> None:
    shown = choose_exemplars(TRAIN, 6, seed=0)
    assert len({item.case_id for item in shown}) == 6
    assert len({item.id for item in shown}) == len(shown) == 6 + 2


def test_exemplars_are_of_different_tasks_while_there_are_any() -> None:
    other_task = [item.model_copy(update={"task": "other", "id": f"{item.id}/o"}) for item in TRAIN[::4]]
    tasks = {item.task for item in choose_exemplars([*TRAIN, *other_task], 4, seed=0) if item.group == "reactive"}
    assert tasks == {"lab_interpretation", "other"}


def test_exemplars_depend_on_the_seed_and_not_on_the_order_of_the_items() -> None:
    first = choose_exemplars(TRAIN, 3, seed=0)
    assert choose_exemplars(TRAIN[::-1], 3, seed=0) == first
    assert any(choose_exemplars(TRAIN, 3, seed=seed) != first for seed in range(1, 5))


def test_a_twin_that_is_not_in_the_training_split_is_not_shown() -> None:
    perturbed = case_items(0, "train")[2]
    assert choose_exemplars([perturbed], 1, seed=0) == [perturbed]


def test_too_few_items_for_k_is_said() -> None:
    with pytest.raises(BadInput, match=r"method\.k=9: the training split has only 3 items that can serve as exemplars"):
        choose_exemplars(items_of([0]), 9, seed=0)
    clean = case_items(0, "train")[3]
    with pytest.raises(BadInput, match="has only 0 items"):
        choose_exemplars([clean], 1, seed=0)
