"""Naive policies by hand: what one scores without reading the case."""

from __future__ import annotations

from collections import Counter

import pytest
from making import items_of
from small import TASKS

from bsft.bench.records import Item, Option
from bsft.scoring.metrics import evaluate
from bsft.scoring.policies import POLICIES, always_flag, label_counts, majority, never_flag, outcomes_of, uniform

TEST = items_of(range(4), "test")
SPECS = {task.name: task for task in TASKS}
COUNTS = {
    "lab_interpretation": Counter(low=1, high=5),
    "treatment_planning": Counter(correct=6),
    "critical_data_alert": Counter(no_flag=4, flag_allergy=8),
}


def with_options(*options: tuple[str, bool], label: str) -> Item:
    own = [Option(text=name, label=name, flag=flag) for name, flag in options]
    return TEST[0].model_copy(update={"options": own, "label": label, "task": "t"})


def test_labels_of_the_training_split_are_counted_by_task() -> None:
    assert label_counts(items_of(range(3))) == {
        "lab_interpretation": Counter(high=2, low=1),
        "treatment_planning": Counter(correct=3),
        "critical_data_alert": Counter(flag_allergy=3, no_flag=3),
    }


def test_majority_says_the_commonest_label_of_the_task() -> None:
    chosen = {item.id: item.options[majority(item, COUNTS)].label for item in TEST[:4]}
    assert chosen == {
        "case0/lab": "high",
        "case0/plan": "correct",  # constant gold: labels tell nothing, so it is the first option
        "case0/alert/perturbed": "flag_allergy",
        "case0/alert/clean": "flag_allergy",
    }


def test_majority_without_training_counts_takes_the_first_option() -> None:
    assert [majority(item, {}) for item in TEST[:4]] == [0, 0, 0, 0]


def test_a_constant_gold_label_is_not_given_away() -> None:
    """The label `correct` would otherwise make majority a perfect policy."""
    item = with_options(("distractor", False), ("correct", False), label="correct")
    assert majority(item, {"t": Counter(correct=9)}) == 0


def test_always_flag_takes_the_commonest_flag() -> None:
    item = with_options(("none", False), ("flag_a", True), ("flag_b", True), label="none")
    assert always_flag(item, {"t": Counter(flag_a=1, flag_b=2, none=9)}) == 2
    assert always_flag(item, {"t": Counter(flag_a=2, flag_b=2)}) == 1, "the first of equals"
    assert always_flag(item, {}) == 1


def test_never_flag_takes_the_first_other_option() -> None:
    assert never_flag(with_options(("flag", True), ("a", False), ("b", False), label="a"), {}) == 1


def test_an_item_with_flags_only_or_none_has_an_answer_too() -> None:
    assert never_flag(with_options(("flag_a", True), ("flag_b", True), label="flag_a"), {}) == 0
    assert always_flag(with_options(("a", False), ("b", False), label="a"), {}) == 0


def test_random_is_fixed_by_the_item_and_spread_over_the_options() -> None:
    items = [TEST[0].model_copy(update={"id": str(i)}) for i in range(3000)]
    chosen = [uniform(item, {}) for item in items]
    assert chosen == [uniform(item, COUNTS) for item in items]
    assert all(900 < n < 1100 for n in Counter(chosen).values()) and len(Counter(chosen)) == 3


@pytest.mark.parametrize(
    ("policy", "scores", "over_intervention", "pairs"),
    [
        # lab: high, low in turn; plan: correct is the first option; alert: perturbed and clean in turn
        ("majority", {"lab_interpretation": 1 / 3, "treatment_planning": 1, "critical_data_alert": 1 / 3}, 1 / 3, 0),
        ("always_flag", {"lab_interpretation": 0, "treatment_planning": 0, "critical_data_alert": 1 / 3}, 1, 0),
        ("never_flag", {"lab_interpretation": 1 / 3, "treatment_planning": 1, "critical_data_alert": 1 / 3}, 0, 0),
    ],
)
def test_what_a_policy_scores_by_hand(
    policy: str, scores: dict[str, float], over_intervention: float, pairs: float
) -> None:
    found = evaluate(outcomes_of(POLICIES[policy], TEST, COUNTS), SPECS, bootstrap_samples=10)
    assert {name: row["score"] for name, row in found["task"].items()} == pytest.approx(scores)
    assert found["overall"]["macro_f1"] == pytest.approx(sum(scores.values()) / 3)
    assert found["restraint"]["over_intervention_rate"] == pytest.approx(over_intervention)
    assert found["restraint"]["pair_accuracy"] == pairs


def test_the_four_rows_of_every_table() -> None:
    assert list(POLICIES) == ["majority", "random", "always_flag", "never_flag"]
