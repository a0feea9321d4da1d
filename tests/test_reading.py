"""The blind reading: which items are drawn, what readers see, and how their answers are counted."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from small import TASKS, case_items

from benchmarks import reading
from bsft.records.store import write_benchmark


@pytest.fixture
def sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    items = [item for case in range(20) for item in case_items(case, "test")]
    directory = tmp_path / "benchmark"
    write_benchmark(directory, {"test": items}, TASKS, name="small", version="1", seed=0, licence="Apache-2.0")
    output = tmp_path / "reading"
    arguments = ("sheet", str(directory), "--items", "20", "--per-kind", "8", "--readers", "2", "--output", str(output))
    monkeypatch.setattr(sys, "argv", ["reading", *arguments])
    reading.main()
    return output


def test_all_tasks_have_equal_shares_and_no_case_comes_twice(sheets: Path) -> None:
    key = json.loads((sheets / "key.json").read_text())["key"]
    kinds = Counter(entry["kind"] for entry in key.values())
    assert kinds == {"critical_data_alert": 6, "lab_interpretation": 6, "treatment_planning": 6}
    alerts = [entry for entry in key.values() if entry["kind"] == "critical_data_alert"]
    assert Counter(entry["variant"] for entry in alerts) == {"perturbed": 4, "clean": 2}
    assert len({entry["id"].partition("/")[0] for entry in alerts}) == 6
    assert sorted(name[0] for name in key) == ["1"] * 9 + ["2"] * 9


def test_readers_see_scenes_and_options_but_neither_ids_nor_labels(sheets: Path) -> None:
    for reader in (1, 2):
        scenes, options = ((sheets / f"{name}-{reader}.md").read_text() for name in ("scenes", "options"))
        assert scenes.count("## Item") == options.count("## Item") == 9
        assert "Asked of you: " in scenes and "A. " in options
        assert not any(word in scenes + options for word in ("no_flag", "flag_allergy", "perturbed", "case0/"))


def test_agreement_counts_letters_and_lists_what_differs(sheets: Path, tmp_path: Path) -> None:
    key = json.loads((sheets / "key.json").read_text())["key"]
    wrong = sorted(key)[0]
    answers = {name: {"raise": None, "letter": entry["letter"]} for name, entry in key.items()}
    answers[wrong] = {"raise": "the dose", "letter": "Z"}
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(answers))
    found = reading.score(sheets, [file])
    assert (found["n"], found["agreement"], found["missing"]) == (18, 17 / 18, [])
    assert list(found["disagreements"]) == [wrong]
    assert found["disagreements"][wrong]["answer"]["raise"] == "the dose"
    assert sum(n for _, n in found["kinds"].values()) == 18


def test_answers_to_other_items_are_refused(sheets: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"9-99": {"letter": "A"}}))
    with pytest.raises(SystemExit, match="9-99"):
        reading.score(sheets, [file])
