"""The naive rows of a table, by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from making import items_of
from small import TASKS

from bsft.scoring.metrics import evaluate, label_counts, responses_of
from bsft.stats.policies import POLICIES

TEST = items_of(range(4), "test")
SPECS = {task.name: task for task in TASKS}
COUNTS = {
    "lab_interpretation": Counter(low=1, high=5),
    "treatment_planning": Counter(correct=6),
    "critical_data_alert": Counter(no_flag=4, flag_allergy=8),
}


def test_labels_of_the_training_split_are_counted_by_task() -> None:
    assert label_counts(items_of(range(3))) == {
        "lab_interpretation": Counter(high=2, low=1),
        "treatment_planning": Counter(correct=3),
        "critical_data_alert": Counter(flag_allergy=3, no_flag=3),
    }


def test_a_policy_learns_from_the_items_own_task() -> None:
    chosen = {r.item.id: r.predicted for r in responses_of(POLICIES["majority"], TEST[:4], COUNTS)}
    assert chosen == {
        "case0/lab": "high",
        "case0/plan": "correct",  # constant gold: labels tell nothing, so it is the first option
        "case0/alert/perturbed": "flag_allergy",
        "case0/alert/clean": "flag_allergy",
    }
    assert [r.chosen for r in responses_of(POLICIES["majority"], TEST[:4], {})] == [0, 0, 0, 0]


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
    found = evaluate(responses_of(POLICIES[policy], TEST, COUNTS), SPECS, bootstrap_samples=10)
    assert {name: row.score for name, row in found.task.items()} == pytest.approx(scores)
    assert found.overall.macro_f1 == pytest.approx(sum(scores.values()) / 3)
    assert found.restraint.over_intervention_rate == pytest.approx(over_intervention)
    assert found.restraint.pair_accuracy == pairs
