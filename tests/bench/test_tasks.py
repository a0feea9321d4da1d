"""Items of the thirteen tasks: labels, options, groups, and that the right option is right."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest
from engine_cases import N_HANDLED, all_cases, all_items, case_of, item_of

from bsft.bench.bank.load import load_bank
from bsft.bench.figures import TRENDS
from bsft.bench.oracle import allergy_conflict
from bsft.bench.tasks import TASKS
from bsft.bench.wordings import load_words
from bsft.records.schema import Item, Option

SPLITS = ("train", "test", "test_heldout", "hard")


def of_task(task: str, split: str = "train") -> list[Item]:
    found = [item for item in all_items(split) if item.task == task]
    assert found, task
    return found


@pytest.mark.parametrize("split", SPLITS)
def test_every_item_is_a_valid_record(split: str) -> None:
    for item in all_items(split):
        assert Item.model_validate_json(item.model_dump_json(exclude_defaults=True)) == item


def test_there_are_thirteen_tasks_six_of_them_the_papers() -> None:
    assert len(TASKS) == 13
    assert {task.name for task in TASKS if task.source == "paper"} == {
        "omission_detection", "error_correction", "consistency_check", "ddx_reasoning", "temporal_ordering",
        "image_reasoning",
    }  # fmt: skip
    assert Counter(task.group for task in TASKS) == {"reactive": 4, "balanced": 4, "proactive": 5}


def test_every_case_has_eight_answers_five_pairs_and_its_controls() -> None:
    counts: dict[str, list[str]] = defaultdict(list)
    for item in all_items():
        counts[item.case_id].append(item.task)
    assert {len(own) for own in counts.values()} == {8 + 2 * 5 + N_HANDLED}


def test_item_ids_are_unique() -> None:
    ids = [item.id for item in all_items()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("split", SPLITS)
def test_options_have_distinct_texts_and_labels_and_a_flag(split: str) -> None:
    for item in all_items(split):
        assert len({option.text for option in item.options}) == len(item.options), item.id
        assert len({option.label for option in item.options}) == len(item.options), item.id
        assert 4 <= len(item.options) <= 6, item.id
        assert any(option.flag for option in item.options), item.id


@pytest.mark.parametrize("split", SPLITS)
def test_concerns_of_an_item_have_similar_length(split: str) -> None:
    ratios = []
    for item in all_items(split):
        lengths = [len(option.text) for option in item.options if option.flag]
        ratios.append(max(lengths) / min(lengths))
    assert sum(ratios) / len(ratios) < 1.25


def test_an_unjustified_concern_continues_whichever_answer() -> None:
    continued: Counter[bool] = Counter()
    for item in all_items():
        if item.group != "proactive":
            [flag] = [option for option in item.options if option.flag]
            [stem] = [o for o in item.options if not o.flag and flag.text.startswith(f"{o.text} ")]
            continued[stem.label == item.label] += 1
    assert 0.15 < continued[True] / continued.total() < 0.45


def test_labels_are_those_of_the_task() -> None:
    specs = {task.name: task for task in TASKS}
    for item in all_items():
        if specs[item.task].metric == "macro_f1":
            assert item.label in specs[item.task].labels
        else:
            assert item.label == "correct"


def test_gold_behaviour_and_autonomy_follow_the_declared_rule() -> None:
    for item in all_items():
        if item.group != "proactive":
            assert item.gold_behavior == item.group and item.determinable is None and not item.gold.flag
        elif item.variant == "perturbed":
            assert item.gold_behavior == "proactive" and item.gold.flag and item.autonomy in ("L3", "L4")
            assert (item.autonomy == "L4") == (item.task == "critical_data_alert")
        else:
            assert item.gold_behavior == "reactive" and item.label == "no_flag" and item.autonomy == "L2"


def test_the_order_of_options_says_nothing() -> None:
    places = Counter([option.label for option in item.options].index("correct") for item in of_task("ddx_reasoning"))
    assert set(places) == set(range(5)) and max(places.values()) < 2.2 * min(places.values())


def test_temporal_ordering_is_right() -> None:
    contacts = load_words().answers.contacts
    places: Counter[int] = Counter()
    for case in all_cases():
        item = item_of(case, "temporal_ordering")
        shown = item.turns[-1].text
        minutes = {name: _minutes(shown.split(name)[1]) for name in contacts if name in shown}
        symptom = next(e for e in case.told_events if case.text(e).lower() in item.gold.text.lower())
        minutes[case.text(symptom)] = -60 * case.facts[symptom].time_hours
        assert len(minutes) == 3
        said = sorted(minutes, key=lambda text: item.gold.text.lower().index(text.lower()))
        assert said == sorted(minutes, key=lambda text: -minutes[text]), item.id
        places[said.index(case.text(symptom))] += 1
    assert min(places.values()) > 0.2 * places.total()


def _minutes(text: str) -> float:
    """The first duration of a text, such as " 3 weeks ago"."""
    found = re.match(r"\W*(\d+) (minute|hour|day|week|month|year)s? ago", text)
    assert found is not None, text
    units = {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43776, "year": 525960}
    return float(found[1]) * units[found[2]]


def test_lab_interpretation_agrees_with_the_printed_reference_range() -> None:
    for case in all_cases():
        item = item_of(case, "lab_interpretation")
        table = next(turn.text for turn in item.turns if turn.speaker == "Laboratory")
        facts = [fact for fact in case.facts.values() if fact.kind == "lab" and fact.text in table.split("\n")]
        fact = max((f for f in facts if f.name.lower() in (item.query or "").lower()), key=lambda f: len(f.name))
        assert isinstance(fact.value, float | int)
        assert fact.reference_low is not None and fact.reference_high is not None
        high = fact.value > fact.reference_high
        assert item.label == ("low" if fact.value < fact.reference_low else "high" if high else "normal")
        assert {"low": "below", "normal": "within", "high": "above"}[item.label] in item.gold.text
    labels = Counter(item.label for item in of_task("lab_interpretation"))
    assert set(labels) == {"low", "normal", "high"} and min(labels.values()) > 0.25 * labels.total()


def test_labels_of_options_are_those_of_the_task() -> None:
    specs = {task.name: set(task.labels) for task in TASKS if task.metric == "macro_f1"}
    for item in all_items():
        if item.task in specs:
            assert {option.label for option in item.options} <= specs[item.task], item.id


def test_treatment_respects_the_recorded_allergy() -> None:
    bank = load_bank()
    decided: Counter[bool] = Counter()
    for case in all_cases():
        item = item_of(case, "treatment_planning")
        shown = " ".join(turn.text for turn in item.turns)
        recorded = [name for name in bank.allergens if f"{name} (" in shown.lower()]
        first, alternative = case.condition.first_line, case.condition.alternative
        forbidden = any(allergy_conflict(bank, name, first.drugs) for name in recorded)
        right = alternative if forbidden else first
        assert says(item.gold, right.text), item.id
        assert not any(allergy_conflict(bank, name, right.drugs) for name in recorded)
        assert case.order_text not in shown
        if all(any(says(option, t.text) for option in item.options) for t in (first, alternative)):
            wrong = first if forbidden else alternative
            assert any(allergy_conflict(bank, name, wrong.drugs) for name in recorded), item.id
            decided[forbidden] += 1
    assert min(decided[True], decided[False]) >= 2


def says(option: Option, text: str) -> bool:
    return text.lower() in option.text.lower()


def test_next_test_is_asked_before_any_result() -> None:
    for item in of_task("next_test_selection"):
        assert not any(turn.speaker in ("Laboratory", "Report") for turn in item.turns)


def test_handovers_are_all_combinations_of_two_details_beside_one_that_is_true() -> None:
    """Of the three details of the faithful one, the others share two, two and one."""
    for case in all_cases():
        item = item_of(case, "case_handoff")
        seen = case.exams[1]
        details = [
            f"{case.person.age.split()[0]}-", f": {case.text(f'exam:{seen.id}')}",
            f"takes {case.text('medication:comorbidity')}", f"allergies: {', '.join(case.allergens) or 'none known'};",
            f"allergies: {', '.join(case.allergens) or 'none known'}.",
        ]  # fmt: skip
        true = [detail for detail in details if says(item.gold, detail)]
        assert len(true) == 3, item.gold.text
        shared = [sum(says(option, d) for d in true) for option in item.options if not option.flag]
        assert sorted(shared) == [1, 2, 2, 3], item.id


def test_image_items_carry_their_figure() -> None:
    kinds: Counter[str] = Counter()
    for item in of_task("image_reasoning"):
        assert len(item.images) == 1 and item.images[0].alt in item.gold.text
        assert item.turns[-1].speaker == "Figure"
        kinds[item.images[0].kind] += 1
    assert set(kinds) >= {"ecg", "chest_xray", "lab_trend", "temperature_chart", "spirometry", "audiogram"}


def test_many_proactive_items_show_a_figure_and_few_figures_are_trends() -> None:
    proactive = [item for item in all_items() if item.group == "proactive"]
    assert sum(bool(item.images) for item in proactive) >= 0.2 * len(proactive)
    for items in (proactive, of_task("image_reasoning")):
        kinds = [image.kind for item in items for image in item.images]
        assert sum(kind in TRENDS for kind in kinds) <= 0.25 * len(kinds), Counter(kinds)


def test_a_proactive_figure_is_described_by_what_is_seen() -> None:
    readings = {reading for c in load_bank().conditions.values() if c.figure is not None for reading in c.figure.reading}
    for item in all_items():
        if item.group == "proactive" and item.images:
            text = next(turn.text for turn in item.turns if turn.speaker == "Figure")
            assert item.images[0].alt in text[0].lower() + text[1:] or item.images[0].alt in text
            assert not any(reading in text for reading in readings)


def test_a_tracing_has_the_rate_that_was_measured() -> None:
    n = 0
    for item in all_items():
        read_out = [found[1] for turn in item.turns if (found := re.search(r"heart rate (\d+)", turn.text))]
        if item.group == "proactive" and read_out and item.images and item.images[0].kind == "ecg":
            n += 1
            assert float(read_out[0]) == item.images[0].params["rate_bpm"], item.id
    assert n > 30


def test_an_audiogram_shows_the_affected_ear() -> None:
    for condition_id, affected in (("menieres_disease", "right"), ("sudden_hearing_loss", "left")):
        figure = load_bank().conditions[condition_id].figure
        assert figure is not None
        ears = {side: figure.params[f"{side}_db"] for side in ("left", "right")}
        assert max(ears, key=lambda side: sum(ears[side])) == affected  # type: ignore[arg-type]
        case = case_of(condition_id, 0, "test_heldout")
        assert f"{affected} ear" in case.scene("examination", "imaging").text or affected in case.complaint
