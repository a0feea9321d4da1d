"""From scored options to the files of a run: arms, predictions and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import ALL_CONTEXTS, items_of
from small import TASKS

from bsft.data.render import Candidates
from bsft.records.schema import BEHAVIORS, Behavior, Item
from bsft.scoring.choices import Context, Scored
from bsft.scoring.evaluation import (
    ARMS,
    Evaluation,
    context_of,
    response_of,
    validation_metrics,
    write_predictions,
)
from bsft.scoring.metrics import label_counts
from bsft.scoring.result import Restraint

SPECS = {task.name: task for task in TASKS}
ITEMS = items_of(range(4), "test")
TRAIN = label_counts(items_of(range(10, 14)))


def scored(
    item: Item, chosen: dict[Context, str], probs: dict[Behavior, float] | None, dropped: tuple[int, ...] = ()
) -> Scored:
    """An item for which each context prefers the option with the given label."""
    candidates = Candidates(item, (1,), tuple((5, 2) for _ in item.options), dropped)
    values = {c: [-1.0 if o.label == label else -2.0 for o in item.options] for c, label in chosen.items()}
    return Scored(candidates, probs, values)


def sure(behavior: Behavior) -> dict[Behavior, float]:
    return {name: 0.8 if name == behavior else 0.1 for name in BEHAVIORS}


def oracle(item: Item, *, dropped: tuple[int, ...] = ()) -> Scored:
    """Predicts the gold behaviour and, under it, the gold option; under any other context, the last option."""
    chosen: dict[Context, str] = dict.fromkeys(ALL_CONTEXTS, item.options[-1].label)
    return scored(item, chosen | {item.gold_behavior: item.label}, sure(item.gold_behavior), dropped)


def evaluation(arm: str = "predicted", forced: Behavior | None = None) -> Evaluation:
    return Evaluation(tasks=SPECS, arm=arm, forced=forced, train_labels=TRAIN, bootstrap_samples=20)


# --- contexts and responses ------------------------------------------------------------------------------------------


def test_the_context_of_each_arm() -> None:
    lab, _, perturbed, _ = ITEMS[:4]
    for item, right, wrong in ((lab, "reactive", "proactive"), (perturbed, "proactive", "reactive")):
        assert [context_of(arm, item, "balanced") for arm in ARMS] == ["balanced", right, wrong, None]


def test_an_item_is_scored_under_the_contexts_that_its_arms_need_and_no_other() -> None:
    lab, _, perturbed, _ = (Candidates(item, (1,), (), ()) for item in ITEMS[:4])
    assert evaluation().contexts(lab, "reactive") == ["reactive", "proactive", None]
    assert evaluation().contexts(perturbed, "reactive") == ["reactive", "proactive", None]
    assert evaluation("none").contexts(perturbed, "balanced") == [None, "balanced", "proactive", "reactive"]
    assert evaluation("forced", "balanced").contexts(lab, "reactive")[0] == "balanced"
    assert evaluation("none").contexts(lab, None) == [None]


def test_the_most_likely_option_wins_and_the_first_of_equals() -> None:
    item = ITEMS[0]
    one = Scored(Candidates(item, (1,), (), ()), None, {None: [-3.0, -1.0, -1.0], "reactive": [-1.0, -1.0, -1.0]})
    assert response_of(one, None).chosen == 1
    assert response_of(one, "reactive").chosen == 0


@pytest.mark.parametrize(("arm", "forced"), [("predicted", None), ("forced", "balanced"), ("none", None)])
def test_the_primary_context(arm: str, forced: Behavior | None) -> None:
    one = scored(ITEMS[0], {}, sure("proactive"))
    expected = {"predicted": "proactive", "forced": "balanced", "none": None}[arm]
    assert evaluation(arm, forced).primary_context(one) == expected


# --- metrics --------------------------------------------------------------------------------------------------------


def test_an_oracle_scores_one_and_its_arms_show_what_the_token_does() -> None:
    found = evaluation().metrics([oracle(item) for item in ITEMS])
    assert found.n == 16 and found.n_shortened == found.n_evidence_lost == 0
    assert found.overall.macro_f1 == found.overall.accuracy == found.overall.mcc == 1
    assert found.restraint == Restraint(over_intervention_rate=0, over_intervention_ci95=(0, 0), pair_accuracy=1)
    assert found.flags is not None
    assert (found.flags.overall.auc, found.flags.overall.paired_auc) == (1, 1)
    behavior = found.behavior
    assert behavior is not None
    assert (behavior.token_accuracy, behavior.auroc_proactive) == (1, 1)
    assert list(behavior.arms) == list(ARMS)
    assert behavior.arms["predicted"] == behavior.arms["forced_right"]
    # the last option is a flag everywhere: right for the perturbed twins only
    assert behavior.arms["forced_wrong"].over_intervention_rate == 1
    assert behavior.arms["none"].proactive == pytest.approx(1 / 3)


def test_forcing_the_token_changes_the_primary_arm() -> None:
    items = [oracle(item) for item in ITEMS]
    assert evaluation("forced", "proactive").metrics(items).restraint.over_intervention_rate == 1
    rate = evaluation("forced", "reactive").metrics(items).restraint.over_intervention_rate
    assert rate is not None and rate < 1


def without_tokens(item: Item) -> Scored:
    return scored(item, {None: item.label}, None)


def test_a_method_without_tokens_has_no_behaviour() -> None:
    found = evaluation("none").metrics([without_tokens(item) for item in ITEMS])
    assert found.behavior is None
    assert found.overall.macro_f1 == 1


def test_naive_rows_are_always_there_and_score_what_they_should() -> None:
    naive = evaluation().metrics([oracle(item) for item in ITEMS]).naive
    assert list(naive) == ["majority", "random", "always_flag", "never_flag"]
    assert naive["always_flag"].restraint.over_intervention_rate == 1
    assert naive["never_flag"].restraint.over_intervention_rate == 0
    assert naive["never_flag"].task["critical_data_alert"] == pytest.approx(1 / 3)


def test_items_that_lost_their_evidence_are_counted_and_left_out() -> None:
    """The nurse's turn, number 2, shows the allergy."""
    lost = [oracle(item, dropped=(2,) if item.variant == "perturbed" else (0,)) for item in ITEMS]
    found = evaluation().metrics(lost)
    assert (found.n, found.n_shortened, found.n_evidence_lost) == (12, 16, 4)
    assert found.restraint.pair_accuracy is None


def test_validation_leaves_them_out_too() -> None:
    kept = [item for item in ITEMS if item.variant != "perturbed"]
    wrong = [scored(i, dict.fromkeys(ALL_CONTEXTS, "no_flag"), None, (2,)) for i in ITEMS if i.variant == "perturbed"]
    alone = validation_metrics([oracle(item) for item in kept], SPECS)
    assert validation_metrics([*(oracle(item) for item in kept), *wrong], SPECS) == alone


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluation().metrics([])
    perturbed = [oracle(item, dropped=(2,)) for item in ITEMS if item.variant == "perturbed"]
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluation().metrics(perturbed)


def test_the_flag_margin_needs_both_kinds_of_option_and_of_item() -> None:
    quiet = [oracle(item) for item in ITEMS if item.gold_behavior != "proactive"]
    flags = evaluation().metrics(quiet).flags
    assert flags is not None and flags.overall.auc is None


def test_validation_metrics_are_flat_numbers() -> None:
    found = validation_metrics([oracle(item) for item in ITEMS], SPECS)
    assert found == pytest.approx(
        {"macro_f1": 1, "reactive": 1, "balanced": 1, "proactive": 1, "over_intervention_rate": 0}
    )
    one_group = validation_metrics([oracle(ITEMS[2])], SPECS)
    assert set(one_group) == {"macro_f1", "proactive"}, "what does not apply is left out"


# --- predictions ----------------------------------------------------------------------------------------------------


def test_a_prediction_line_in_full() -> None:
    item = ITEMS[2]
    [line] = evaluation().predictions([oracle(item)], {item.id: "free text"})
    assert line == {
        "item_id": "case0/alert/perturbed",
        "case_id": "case0",
        "twin_id": "case0/alert/clean",
        "task": "critical_data_alert",
        "group": "proactive",
        "arm": "predicted",
        "behavior": "proactive",
        "label": "flag_allergy",
        "predicted": "flag_allergy",
        "flagged": True,
        "gold_behavior": "proactive",
        "autonomy": "L3",
        "variant": "perturbed",
        "evidence_lost": False,
        "behavior_probs": {"reactive": 0.1, "balanced": 0.1, "proactive": 0.8},
        "options": [
            {"label": "no_flag", "log_likelihood": -2.0, "n_tokens": 2, "n_chars": 24},
            {"label": "flag_allergy", "log_likelihood": -1.0, "n_tokens": 2, "n_chars": 26},
        ],
        "text": "free text",
    }


def test_predictions_of_a_method_without_tokens() -> None:
    [line] = evaluation("none").predictions([without_tokens(ITEMS[0])], {})
    assert (line["arm"], line["behavior"], line["behavior_probs"], line["text"]) == ("none", None, None, None)


def test_predictions_are_one_json_object_a_line(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = evaluation().predictions([oracle(item) for item in ITEMS], {})
    write_predictions(tmp_path / "predictions.jsonl", lines)
    read = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert read == lines
