"""How ready a model is to raise a concern, and what a threshold chosen elsewhere makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from making import items_of
from small import TASKS

from bsft.data.render import Candidates
from bsft.records.schema import Behavior, Item
from bsft.scoring.choices import Context, Scored
from bsft.scoring.decision import Alarm, alarm_of, best_threshold, matched_threshold, without_prior
from bsft.scoring.evaluation import Calibration, Evaluation
from bsft.scoring.flags import Flags
from bsft.stats.bootstrap import Bootstrap

SPECS = {task.name: task for task in TASKS}
ITEMS = items_of(range(6), "test")
VALIDATION = items_of(range(10, 30), "val")


def read(item: Item, margin: float, probs: dict[Behavior, float] | None = None) -> Scored:
    """Every context prefers a concern to the best other option by `margin`."""
    values = [margin if option.flag else 0.0 for option in item.options]
    contexts: tuple[Context, ...] = (None, "reactive", "balanced", "proactive")
    return Scored(
        Candidates(item, (1,), tuple((5, 2) for _ in item.options), ()), probs, dict.fromkeys(contexts, values)
    )


def alarm(item: Item, margin: float) -> Alarm:
    found = alarm_of(read(item, margin), None, by_token=False)
    assert found is not None
    return found


def due(item: Item) -> bool:
    return item.gold_behavior == "proactive"


def test_a_method_without_tokens_is_as_ready_as_its_flag_margin_says() -> None:
    found = alarm(ITEMS[0], 0.7)
    assert found.margin == 0.7
    assert found.response(0.6).flagged and not found.response(0.7).flagged


def test_a_predicted_token_is_read_from_its_probability_and_not_from_the_reply() -> None:
    probs: dict[Behavior, float] = {"reactive": 0.1, "balanced": 0.1, "proactive": 0.8}
    found = alarm_of(read(ITEMS[0], -9.0, probs), None, by_token=True)
    assert found is not None
    assert found.margin == pytest.approx(math.log(4))
    assert found.response(1.3).flagged and not found.response(1.4).flagged


def test_items_that_offer_no_concern_have_no_alarm() -> None:
    item = ITEMS[0]
    silent = item.model_copy(update={"options": [o.model_copy(update={"flag": False}) for o in item.options]})
    assert alarm_of(read(silent, 1.0), None, by_token=False) is None


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 19.0), (0.05, 18.0), (0.5, 9.0), (0.999, 0.0)])
def test_the_threshold_lets_through_at_most_the_wanted_rate(rate: float, expected: float) -> None:
    calm = [item for item in VALIDATION if not due(item)][:20]
    problems = [alarm(item, 99.0) for item in VALIDATION if due(item)]
    alarms = [*problems, *(alarm(item, float(i)) for i, item in enumerate(calm))]
    threshold = matched_threshold(alarms, rate)
    assert threshold == expected
    assert sum(a.response(expected).flagged for a in alarms if not due(a.item)) <= rate * 20


def test_no_threshold_comes_of_problems_alone() -> None:
    assert matched_threshold([alarm(item, 1.0) for item in VALIDATION if due(item)], 0.05) is None


def test_the_best_threshold_is_the_highest_with_the_best_macro_f1() -> None:
    calm, problems = ([i for i in VALIDATION if due(i) is needed][:4] for needed in (False, True))
    margins = [0.0, 1.0, 2.0, 5.0], [1.5, 3.0, 4.0, 6.0]
    alarms = [
        alarm(i, m)
        for items, own in zip((calm, problems), margins, strict=True)
        for i, m in zip(items, own, strict=True)
    ]
    # above 2 three of four problems and one calm item are flagged: F1 of 0.75 for both; above 1, as many are wrong
    assert best_threshold(alarms) == 2.0
    assert best_threshold([a for a in alarms if due(a.item)]) is None


def test_a_threshold_decides_what_is_said_and_under_which_token() -> None:
    """The most likely token is proactive for all, and only the surer ones are above the threshold."""
    sure: list[dict[Behavior, float]] = [{"reactive": 1 - p, "balanced": 0.0, "proactive": p} for p in (0.6, 0.9)]
    scored = [read(ITEMS[0], 1.0, probs) for probs in sure]
    evaluation = Evaluation(tasks=SPECS, arm="predicted", forced=None, train_labels={}, bootstrap_samples=1)
    assert [evaluation.response(s).flagged for s in scored] == [True, True]
    evaluation = replace(evaluation, threshold=math.log(0.8 / 0.2))
    assert [evaluation.response(s).flagged for s in scored] == [False, True]
    assert [line["behavior"] for line in evaluation.predictions(scored, {})] == ["reactive", "proactive"]
    plain = Evaluation(tasks=SPECS, arm="none", forced=None, train_labels={}, bootstrap_samples=1, threshold=2.0)
    assert [plain.response(read(ITEMS[0], margin)).flagged for margin in (1.5, 2.5)] == [False, True]


def test_the_prior_is_taken_off_each_item() -> None:
    [found] = without_prior([alarm(ITEMS[0], 2.0)], {ITEMS[0].id: 0.5})
    assert found.margin == 1.5


# --- at matched over-intervention -----------------------------------------------------------------------------------


def evaluated(margins: Sequence[float], calibration: Calibration | None) -> dict[str, object]:
    evaluation = Evaluation(tasks=SPECS, arm="none", forced=None, train_labels={}, bootstrap_samples=5)
    scored = [read(item, margin) for item, margin in zip(ITEMS, margins, strict=True)]
    flags = evaluation.metrics(scored, calibration).flags
    assert flags is not None
    return flags.model_dump()


def test_a_model_that_ranks_well_but_never_speaks_is_seen_at_matched_over_intervention() -> None:
    margins = [-1.0 if due(item) else -3.0 for item in ITEMS]
    validation = [alarm(item, -1.0 if due(item) else -2.0) for item in VALIDATION]
    found = evaluated(margins, Calibration(0.05, validation, {}))
    overall, matched = found["overall"], found["matched"]
    assert isinstance(overall, dict) and isinstance(matched, dict)
    assert (overall["missed_intervention_rate"], overall["auc"], overall["paired_auc"]) == (1, 1, 1)
    assert (matched["missed_intervention_rate"], matched["over_intervention_rate"], matched["pair_accuracy"]) == (
        0,
        0,
        1,
    )
    assert (matched["proactive"], matched["threshold_nats"], matched["target"]) == (1, -2.0, 0.05)
    assert found["prior_removed"] is None
    assert evaluated(margins, None)["matched"] is None


def test_a_request_that_always_raises_concerns_is_forgiven_when_its_prior_is_removed() -> None:
    prior = {item.id: float(i) for i, item in enumerate([*ITEMS, *VALIDATION])}
    margins = [prior[item.id] + due(item) for item in ITEMS]
    validation = [alarm(item, prior[item.id] + due(item)) for item in VALIDATION]
    found = evaluated(margins, Calibration(0.0, validation, prior))
    overall, removed = found["overall"], found["prior_removed"]
    assert isinstance(overall, dict) and isinstance(removed, dict)
    assert overall["auc"] < 0.8 and removed["auc"] == 1
    assert removed["matched"]["missed_intervention_rate"] == 0


# --- by task and kind -----------------------------------------------------------------------------------------------


def test_scores_by_task_and_kind_count_problems_and_their_twins() -> None:
    responses = [alarm(item, 1.0 if due(item) else -1.0).response(0.0) for item in ITEMS]
    flags = Flags(responses, {item.id: float(due(item)) for item in ITEMS}, Bootstrap(20))
    assert list(flags.by_task()) == ["critical_data_alert"]
    assert list(flags.by_kind()) == ["critical/allergy_order"]
    kind = flags.by_kind()["critical/allergy_order"]
    assert (kind.n, kind.n_pairs, kind.pair_accuracy, kind.macro_f1) == (12, 6, 1, 1)
    assert flags.over_intervention_by_variant() == {"clean": 0, "plain": 0}
    assert flags.scores().n == len(ITEMS)


def test_the_noise_floor_is_how_far_restatements_move_the_margin() -> None:
    responses = [alarm(item, 0.0).response(0.0) for item in ITEMS]
    flags = Flags(responses, {item.id: 1.0 + due(item) for item in ITEMS}, Bootstrap(5))
    restated = [
        alarm(item.model_copy(update={"id": f"{item.id}~", "original_id": item.id, "variant": variant}), margin)
        for variant, margins in (("paraphrase", (1.25, 0.5, 1.0)), ("other_sex", (1.5,)))
        for item, margin in zip((i for i in ITEMS if i.variant == "clean"), margins, strict=False)
    ]
    elsewhere = alarm(ITEMS[0].model_copy(update={"original_id": "of another split", "variant": "paraphrase"}), 9.0)
    found = flags.noise_floor([*restated, elsewhere])
    assert {variant: (floor.n, floor.median_nats) for variant, floor in found.items()} == {
        "other_sex": (1, 0.5),
        "paraphrase": (3, 0.25),
    }
    assert flags.scores().twin_effect_nats == 1


def test_pair_accuracy_stands_beside_what_independent_answers_would_give() -> None:
    """Half of the problems and two thirds of the calm twins are answered rightly, by chance a third of pairs."""
    problems = [item for item in ITEMS if due(item)]
    twins = [item for item in ITEMS if item.variant == "clean"]
    said = [alarm(item, 1.0 if i < 3 else -1.0).response(0.0) for i, item in enumerate(problems)]
    said += [alarm(item, 1.0 if i < 2 else -1.0).response(0.0) for i, item in enumerate(twins)]
    found = Flags(said, {}, Bootstrap(5)).scores()
    assert found.pair_accuracy == pytest.approx(1 / 6)
    assert found.pair_accuracy_by_chance == pytest.approx(1 / 3)
    assert found.over_intervention_rate == pytest.approx(1 / 3)
    assert found.missed_intervention_rate == 0.5
    assert found.auc is None and found.paired_auc is None
