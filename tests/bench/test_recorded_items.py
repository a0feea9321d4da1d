"""Items made from imported cases: the oracles of every task, splits and distractors."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from story_cases import STORIES, all_cases, case

from bsft.bench.bank.load import load_bank
from bsft.bench.left_out import LeftOut
from bsft.bench.recorded.case import RecordedCase
from bsft.bench.recorded.make import LEVEL, make_items
from bsft.bench.recorded.naming import names
from bsft.bench.recorded.other_cases import OtherCases
from bsft.bench.tasks import critical_data_alert
from bsft.importing.agentclinic import import_agentclinic
from bsft.importing.recorded_items import Shares, plan
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput
from bsft.records.schema import Item


@pytest.fixture(scope="module")
def items() -> list[Item]:
    by_split, _ = make_items({"test": all_cases()}, seed=0)
    return by_split["test"]


def of_task(items: list[Item], task: str) -> list[Item]:
    found = [item for item in items if item.task == task]
    assert found
    return found


def changed(item: Item, items: list[Item]) -> tuple[str, str]:
    """The one turn in which a perturbed item and its twin differ: clean text, perturbed text."""
    twin = next(other for other in items if other.id == item.twin_id)
    assert (twin.query, twin.options, len(twin.turns)) == (item.query, item.options, len(item.turns))
    assert (twin.label, twin.gold_behavior, twin.variant) == ("no_flag", "reactive", "clean")
    differing = [i for i, (a, b) in enumerate(zip(twin.turns, item.turns, strict=True)) if a != b]
    assert item.perturbation is not None
    assert differing == [item.perturbation.locus.turn]
    return twin.turns[differing[0]].text, item.turns[differing[0]].text


def test_every_task_has_items_and_every_pair_differs_in_one_turn(items: list[Item]) -> None:
    tasks: defaultdict[str, int] = defaultdict(int)
    for item in items:
        tasks[item.task] += 1
        assert any(option.flag for option in item.options)
        if item.variant == "perturbed":
            changed(item, items)
    assert set(tasks) == {
        "ddx_reasoning", "temporal_ordering", "lab_interpretation", "case_handoff",
        "omission_detection", "error_correction", "consistency_check", "critical_data_alert",
    }  # fmt: skip
    assert tasks["error_correction"] == 24 * 3 * 2


def test_every_item_is_a_valid_record(items: list[Item]) -> None:
    for item in items:
        assert Item.model_validate_json(item.model_dump_json(exclude_defaults=True)) == item


def test_sentences_that_name_the_diagnosis_are_not_shown(items: list[Item]) -> None:
    for item in items:
        assert not any(item.case_id.split("-")[1] in turn.text for turn in item.turns)
    assert names("in keeping with Hirschsprung’s disease", "Hirschsprung disease")
    assert names("suspected PML", "Progressive multifocal leukoencephalopathy (PML)")
    assert not names("a chronic disease", "Chronic kidney disease")


def test_differential_diagnoses_are_those_of_other_cases(items: list[Item]) -> None:
    for item in of_task(items, "ddx_reasoning"):
        shown = [next(name for name in STORIES if name in o.text) for o in item.options if not o.flag]
        assert len(set(shown)) == 4
        assert next(name for name in STORIES if name in item.gold.text) in item.case_id


def test_distractors_are_used_evenly() -> None:
    others = OtherCases([RecordedCase(each, "test", 0, LEVEL) for each in all_cases()])
    first = others.cases[0]
    usable = {other.case.diagnosis for other in others.unlike(first)}
    drawn = [name for _ in range(4) for name in others.diagnoses(first, 3)]
    uses = [drawn.count(name) for name in usable]
    assert max(uses) - min(uses) <= 1


def test_alike_records_are_no_distractors_for_each_other() -> None:
    cases = all_cases()
    told_again = cases[0].model_copy(update={"id": "again", "diagnosis": "Vitamin C deficiency"})
    opened = [RecordedCase(each, "test", 0, LEVEL) for each in (*cases, told_again)]
    assert "Vitamin C deficiency" not in {other.case.diagnosis for other in OtherCases(opened).unlike(opened[0])}
    with pytest.raises(LeftOut, match="fewer than 3 other diagnoses"):
        OtherCases(opened[:2]).diagnoses(opened[0], 3)


def test_results_are_read_against_the_printed_range(items: list[Item]) -> None:
    readings = set()
    for item in of_task(items, "lab_interpretation"):
        table = next(turn.text for turn in item.turns if turn.speaker == "Laboratory")
        rows = re.findall(r"^(\w+): ([\d.]+) (?:\S+) \(ref ([\d.]+)-([\d.]+)\)$", table, re.MULTILINE)
        assert {name for name, *_ in rows} == {"Hemoglobin", "Na", "WBC"}
        assert "Urinalysis, K: 40 mEq/L" in table
        expected = {f"{value} ": "high" if float(value) > float(high) else "low" if float(value) < float(low)
                    else "normal" for _, value, low, high in rows}  # fmt: skip
        assert item.label in expected.values()
        readings.add(item.label)
    assert readings == {"normal", "high"}


def test_events_are_put_in_the_order_of_their_times(items: list[Item]) -> None:
    for item in of_task(items, "temporal_ordering"):
        text = item.gold.text.lower()
        assert text.index("long walk") < text.index("cold bath") < text.index("bad night")


def test_handovers_are_faithful_and_the_others_are_not(items: list[Item]) -> None:
    for item in of_task(items, "case_handoff"):
        shown = "\n".join(turn.text for turn in item.turns)
        complaint = STORIES[item.case_id.split("-")[1]][0]
        for option in item.options:
            said = re.findall(r"(?:heart rate|respiratory rate|blood pressure) [\d/]+", option.text)
            is_true = complaint in option.text and "41-year-old woman" in option.text and all(v in shown for v in said)
            assert option.flag or is_true == (option.label == "correct")


def test_errors_are_impossible_values_or_another_persons_label(items: list[Item]) -> None:
    plausible = {vital: v.plausible for vital, v in load_bank().vitals.items()}
    kinds = set()
    for item in of_task(items, "error_correction"):
        if item.perturbation is None:
            continue
        kinds.add(item.perturbation.kind)
        clean, perturbed = changed(item, items)
        if item.label == "flag_identity":
            assert "female" in clean and "41 years" in clean
            assert not ("female" in perturbed and "41 years" in perturbed)
        elif item.label == "flag_vital_value":
            value = float(re.findall(r"[\d.]+", item.perturbation.after)[0])
            limits = plausible[item.perturbation.locus.field]
            assert not limits.low <= value <= limits.high
        else:
            assert item.perturbation.before != item.perturbation.after
    assert kinds <= {"error/sex", "error/age", "error/decimal_shift", "error/unit"}
    assert len(kinds) >= 3


def test_critical_values_are_beyond_their_limits_and_were_normal(items: list[Item]) -> None:
    bank = load_bank()
    per_unit = {"haemoglobin": 10.0, "sodium": 1.0}
    for item in of_task(items, "critical_data_alert"):
        if item.perturbation is None:
            continue
        field = item.perturbation.locus.field
        entry = bank.vitals[field] if item.label == "flag_critical_vital" else bank.analytes[field]
        factor = 1.0 if item.label == "flag_critical_vital" else per_unit[field]
        before, after = (
            float(re.findall(r"[\d.]+", text)[0]) * factor
            for text in (item.perturbation.before, item.perturbation.after)
        )
        low, high = entry.critical_low, entry.critical_high
        assert (low is None or before > low) and (high is None or before < high)
        assert (low is not None and after < low) or (high is not None and after > high)
        assert item.autonomy == "L4"


def test_a_critical_result_that_is_printed_as_its_limit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_the_limit(limits: tuple[float | None, float | None], *_: object, **__: object) -> float:
        return next(limit for limit in limits if limit is not None)

    monkeypatch.setattr(critical_data_alert, "value_beyond_limit", at_the_limit)
    _, reasons = make_items({"test": [case("Iritis")]}, seed=0)
    assert list(reasons.counts["critical_data_alert: flag_critical_lab"]) == [
        "a value beyond its critical limit that is printed as the limit itself"
    ]


def test_what_is_needed_is_nowhere_else(items: list[Item]) -> None:
    for item in of_task(items, "omission_detection"):
        if item.perturbation is not None:
            shown = "\n".join(turn.text for turn in item.turns)
            assert item.perturbation.before not in shown
            assert "must be" in shown


def test_contradictions_name_two_values_of_one_set(items: list[Item]) -> None:
    for item in of_task(items, "consistency_check"):
        if item.perturbation is None:
            continue
        clean, perturbed = changed(item, items)
        if item.label == "flag_time":
            sample = re.search(r"\d\d:\d\d", next(t.text for t in item.turns if t.speaker == "Laboratory"))
            times = [re.search(r"\d\d:\d\d", text) for text in (clean, perturbed)]
            assert sample and times[0] and times[1]
            assert times[0].group() < sample.group() < times[1].group()
        else:
            assert re.findall(r"[\d.]+", clean) != re.findall(r"[\d.]+", perturbed)


def test_why_a_case_is_left_out() -> None:
    facts = [{"id": "s", "kind": "symptom", "name": "complaint", "text": "Itch"}]
    child = case("Scabies", demographics={"age_years": 6.0, "sex": "male"})
    unhappy = [case("Scurvy", facts=facts, events=[]), case("Iritis", facts=[]), child]
    _, reasons = make_items({"test": unhappy}, seed=0)
    found = {f"{what}: {why}" for what, whys in reasons.counts.items() for why in whys}
    for expected in (
        "case_handoff: no symptom is recorded, other than by the name of the diagnosis",
        "temporal_ordering: fewer than 3 dated events before presentation whose spoken times differ",
        "lab_interpretation: no result of the case bank's analytes with a reference range",
        "critical_data_alert: flag_critical_vital: a child, whose critical limits differ",
    ):
        assert expected in found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "CBC, Hemoglobin", "text": "CBC, Hemoglobin: 6.1 g/dL", "value": 6.1, "unit": "g/dL"}, "critical"),
        ({"name": "CBC, Hemoglobin", "text": "CBC, Hemoglobin: 14 mg/dL", "value": 14.0, "unit": "mg/dL"}, "unit"),
        (
            {"name": "CBC, Hemoglobin", "text": "CBC, Hemoglobin: 140 g/dL", "value": 140.0, "unit": "g/dL"},
            "impossible",
        ),
    ],
)
def test_silence_must_be_right_in_a_clean_twin(change: dict[str, Any], reason: str) -> None:
    told = case("Iritis")
    facts = [fact.model_dump() | (change if fact.name == "CBC, Hemoglobin" else {}) for fact in told.facts]
    items, reasons = make_items({"test": [case("Iritis", facts=facts)]}, seed=0)
    assert {item.task for item in items["test"]} <= {"lab_interpretation", "temporal_ordering"}
    assert reason in next(iter(reasons.counts["error_correction"]))


@pytest.mark.parametrize(
    ("name", "text", "value", "unit", "row"),
    [
        ("Hb", "Hb: 9.8 g/dL (decreased)", 9.8, "g/dL", "Hb: 9.8 g/dL (ref 11.5-16)"),
        ("Hb", "Hb: 13.8 g/dL (elevated)", 13.8, "g/dL", None),  # the record disagrees with the range
        ("CSF, Glucose", "CSF, Glucose: 60 mg/dL", 60.0, "mg/dL", None),  # not blood
        ("BUN", "BUN: 14 mg/dL", 14.0, "mg/dL", "BUN: 14 mg/dL (ref 7-21.8)"),
        ("TSH", "TSH: 2.5 widgets", 2.5, "widgets", None),
        ("CRP", "CRP: 3 mg/L, rising since", 3.0, "mg/L", None),
    ],
)
def test_which_results_are_read(name: str, text: str, value: float, unit: str, row: str | None) -> None:
    fact = {"id": "lab", "kind": "lab", "name": name, "text": text, "value": value, "unit": unit}
    results = RecordedCase(case("Iritis", facts=[fact]), "test", 0, LEVEL).results
    assert [result.row() for result in results] == ([] if row is None else [row])
    pregnant = {"id": "h", "kind": "history", "name": "h", "text": "She is pregnant."}
    assert not any(r.limits for r in RecordedCase(case("Iritis", facts=[fact, pregnant]), "test", 0, LEVEL).results)


def test_cases_of_one_diagnosis_stay_in_one_split() -> None:
    by_split = plan(all_cases(), Shares(0.5, 0.25), seed=3)
    diagnoses = {split: {each.diagnosis for each in cases} for split, cases in by_split.items()}
    assert {split: len(cases) for split, cases in by_split.items()} == {"train": 12, "val": 6, "test": 6}
    assert sum(len(found) for found in diagnoses.values()) == len(STORIES)
    assert list(plan(all_cases(), Shares(0, 0), seed=3)) == ["test"]
    for shares in ((1.1, 0.0), (0.7, 0.4)):
        with pytest.raises(BadInput, match="allowed"):
            Shares(*shares)


@pytest.mark.skipif("BSFT_AGENTCLINIC" not in os.environ, reason="BSFT_AGENTCLINIC names no file")
def test_items_of_the_published_cases() -> None:
    file = Path(os.environ["BSFT_AGENTCLINIC"])
    cases = import_agentclinic(file, ImportReport("agentclinic", str(file)))
    items, reasons = make_items(plan(cases, Shares(), 0), seed=0)
    counts: dict[str, int] = defaultdict(int)
    for found in items.values():
        for item in found:
            counts[item.task] += 1
    assert {case.case_id for found in items.values() for case in found} <= {case.id for case in cases}
    assert counts["ddx_reasoning"] > 180
    assert counts["error_correction"] > 700
    assert counts["lab_interpretation"] > 45
    assert reasons.counts["temporal_ordering"] == {
        "fewer than 3 dated events before presentation whose spoken times differ": 214
    }
