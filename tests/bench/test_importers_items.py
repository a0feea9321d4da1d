"""Somebody else's items, read through a mapping; every layout of turns, options and gold."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_files import LINE, MAPPING

from bsft.importing.files import ImportedBenchmark
from bsft.importing.item_mapping import read_mapping
from bsft.importing.items import import_items
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput


def changed(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with other values at dotted paths (a double underscore stands for a dot); ... removes one."""
    result = copy.deepcopy(record)
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = result
        for parent in parents:
            inner = inner[parent]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return result


def read(
    tmp_path: Path, mapping: dict[str, Any], *lines: object, drop_invalid: bool = False
) -> tuple[ImportedBenchmark, ImportReport]:
    source, file = tmp_path / "items.jsonl", tmp_path / "mapping.yaml"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    file.write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
    report = ImportReport("items", str(source))
    return import_items(source, read_mapping(file), report, drop_invalid=drop_invalid), report


def test_a_line_becomes_an_item(tmp_path: Path) -> None:
    imported, report = read(tmp_path, MAPPING, LINE)
    (item,) = imported.items["test"]
    assert (item.id, item.case_id, item.task, item.group) == ("7", "123", "error_correction", "proactive")
    assert (item.gold_behavior, item.autonomy, item.split) == ("proactive", "L3", "test")
    assert [(turn.speaker, turn.role) for turn in item.turns] == [
        ("Dr Gray", "attending"), ("Dr Ito", "resident"), ("Laboratory", "record"),
    ]  # fmt: skip
    assert item.query == "Write the discharge letter."
    assert item.label == "flag_lab_value"
    assert [option.flag for option in item.options] == [False, True]
    (task,) = imported.tasks
    assert (task.name, task.metric, task.labels) == ("error_correction", "macro_f1", ["flag_lab_value", "no_flag"])
    assert report.read == 1


LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "texts and letter": (
        {"layout": "texts", "gold": "letter", "flag_if_proactive": True},
        {"candidates": ["Letter.", "Stop.", "Wait."], "answer": "b"},
        ["distractor_1", "correct", "distractor_2"],
    ),
    "texts and position": (
        {"layout": "texts", "gold": "position", "flag_if_proactive": True},
        {"candidates": ["Letter.", "Stop."], "answer": 1},
        ["distractor_1", "correct"],
    ),
    "texts and number": (
        {"layout": "texts", "gold": "number", "flag_if_proactive": True},
        {"candidates": ["Letter.", "Stop."], "answer": 2},
        ["distractor_1", "correct"],
    ),
    "texts and text": (
        {"layout": "texts", "gold": "text", "flag_if_proactive": True},
        {"candidates": ["Letter.", "Stop."], "answer": "Stop."},
        ["distractor_1", "correct"],
    ),
    "letters as labels": (
        {"layout": "by_label", "gold": "label", "semantic_labels": False, "flag_if_proactive": True},
        {"candidates": {"A": "Letter.", "B": "Stop."}, "answer": "B"},
        ["distractor_1", "correct"],
    ),
    "renamed labels": (
        {
            "layout": "by_label",
            "gold": "label",
            "labels": {"fine": "no_flag", "alarm": "flag"},
            "flag_labels": ["flag"],
        },
        {"candidates": {"fine": "Letter.", "alarm": "Stop."}, "answer": "alarm"},
        ["no_flag", "flag"],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_options(tmp_path: Path, name: str) -> None:
    options, line, labels = LAYOUTS[name]
    imported, _ = read(tmp_path, changed(MAPPING, options=options), changed(LINE, **line))
    (item,) = imported.items["test"]
    assert [option.label for option in item.options] == labels
    assert item.gold.text == "Stop."
    assert [option.text for option in item.options if option.flag] == ["Stop."]


def test_options_in_fields_and_turns_in_lines(tmp_path: Path) -> None:
    options = {
        "layout": "fields", "gold": "label", "flag_labels": ["flag"],
        "fields": {"no_flag": "quiet", "flag": "alarm", "flag_other": "absent"},
    }  # fmt: skip
    turns = {"layout": "lines", "roles": {"Chief": "attending"}}
    mapping = changed(MAPPING, options=options, turns=turns, fields__options=..., fields__behavior=...)
    line = changed(LINE, dialogue="Chief: Potassium is 7.1.\n(again)\npatient: I feel fine.", answer="flag")
    imported, _ = read(tmp_path, mapping, {**line, "quiet": "Letter.", "alarm": "Stop."})
    (item,) = imported.items["test"]
    assert [turn.text for turn in item.turns] == ["Potassium is 7.1.\n(again)", "I feel fine."]
    assert [turn.role for turn in item.turns] == ["attending", "patient"]
    assert [option.label for option in item.options] == ["no_flag", "flag"]
    assert item.gold_behavior == "proactive"


def test_perturbed_items_say_what_was_changed(tmp_path: Path) -> None:
    places = {"kind": "change.kind", "turn": "change.at", "before": "change.old", "after": "change.new"}
    mapping = changed(MAPPING, perturbation=places, fields__variant="variant", variants={"bad": "perturbed"})
    change = {"kind": "error/shift", "at": 0, "old": "4.1", "new": "7.1"}
    imported, _ = read(tmp_path, mapping, {**LINE, "variant": "bad", "change": change})
    found = imported.items["test"][0].perturbation
    assert found is not None
    assert (found.kind, found.locus.role, found.after) == ("error/shift", "attending", "7.1")
    with pytest.raises(BadInput, match=r"change.at: found 5, allowed: 0 to 2"):
        read(tmp_path, mapping, {**LINE, "variant": "bad", "change": {**change, "at": 5}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": "Poetry"}, "found 'Poetry', which categories does not name; known are Error Correction, DDx"),
        (
            {"target": "Shout"},
            "field target: found 'Shout', which the mapping does not name; known are Speak up, Answer",
        ),
        ({"subset": "moon"}, "field subset: found 'moon', which the mapping does not name; known are dev, eval"),
        ({"level": "nine"}, "known are three, L0"),
        ({"answer": "flag_x"}, "field answer: found 'flag_x', allowed: one of no_flag, flag_lab_value"),
        ({"question": ...}, None),
        ({"uid": ...}, "field uid: missing; the line has case, category"),
        ({"candidates": "text"}, "field candidates: found 'text', allowed: a JSON array"),
        ({"dialogue": "Hello"}, "field dialogue: found 'Hello', allowed: a JSON array"),
    ],
)
def test_names_that_are_not_mapped_are_errors(tmp_path: Path, change: dict[str, Any], message: str | None) -> None:
    line = changed(LINE, **change)
    if message is None:
        assert read(tmp_path, MAPPING, line)[0].items["test"][0].query is None
        return
    with pytest.raises(BadInput, match="line 2") as caught:
        read(tmp_path, MAPPING, LINE, {**line, **({"uid": 8} if "uid" in line else {})})
    assert message in str(caught.value)
    imported, report = read(tmp_path, MAPPING, LINE, line, drop_invalid=True)
    assert len(imported.items["test"]) == 1
    assert len(report.dropped) == 1


def test_ids_are_unique_and_cases_stay_in_one_split(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2: field uid: found '7', which .*: line 1 has"):
        read(tmp_path, MAPPING, LINE, LINE)
    with pytest.raises(BadInput, match="case '123' is in split 'test' and in 'val'"):
        read(tmp_path, MAPPING, LINE, changed(LINE, uid=8, subset="dev"))
    with pytest.raises(BadInput, match="allowed: letters, digits"):
        read(tmp_path, changed(MAPPING, splits={}), changed(LINE, subset="../x"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields__gold": ...}, "field fields.gold: missing"),
        ({"fields__golden": "x"}, "field fields.golden: unknown field; known are id, task, turns, gold"),
        ({"colour": "x"}, "field colour: unknown field; known are name, licence"),
        ({"options__flag_labels": ["x"]}, "give exactly one of flag"),
        ({"options__gold": "guess"}, "field options.gold: found 'guess'"),
        ({"turns__roles": {"Chief": "boss"}}, "field turns.roles.Chief: found 'boss'"),
        ({"categories": {"DDx": {"task": "new_task"}}}, "field categories.DDx.group: missing"),
        ({"fields__options": ...}, "fields.options is needed"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=r"mapping\.yaml") as caught:
        read(tmp_path, changed(MAPPING, **change), LINE)
    assert message in str(caught.value)


def test_a_fixed_label_set_binds(tmp_path: Path) -> None:
    category = {"task": "error_correction", "labels": ["no_flag", "flag_dose"]}
    with pytest.raises(
        BadInput, match="found the label 'flag_lab_value', allowed in error_correction: no_flag, flag_dose"
    ):
        read(tmp_path, changed(MAPPING, categories={"Error Correction": category}), LINE)
