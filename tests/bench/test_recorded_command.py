"""The command line that makes items from imported cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from story_cases import all_cases

from bsft.cli import main
from bsft.importing.files import CASES_FILE, write_records
from bsft.records.schema import Case
from bsft.records.store import open_benchmark


def write(tmp_path: Path, cases: list[Case]) -> Path:
    write_records(tmp_path / CASES_FILE, cases)
    return tmp_path / CASES_FILE


def test_the_command_writes_a_benchmark_that_opens_and_is_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path, all_cases())
    for output in ("a", "b"):
        assert main(["items", str(source.parent), f"--output={tmp_path / output}", "--name=mine", "--train=0.5"]) == 0
    assert "error_correction" in capsys.readouterr().out
    first, second = (open_benchmark(tmp_path / output) for output in ("a", "b"))
    assert first.sha256 == second.sha256
    assert (first.manifest.name, first.manifest.licence) == ("mine", "CC0-1.0")
    assert first.splits == ["train", "val", "test"]
    report = json.loads((tmp_path / "a" / "items_report.json").read_text())
    assert report["cases"] == len(all_cases())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=x"], "parameter CASES requires an argument."),
        (["{source}", "--output=x", "--trian=1"], "Did you mean --train?"),
        (["{source}", "--output=x", "--train=2"], "train: found 2, allowed: 0 to 1"),
        (["nowhere.jsonl", "--output=x"], "nowhere.jsonl: no such file"),
        (["{source}", "--output={tmp}"], "choose another output"),
    ],
)
def test_wrong_input_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path, all_cases()[:4])
    assert main(["items", *[argument.format(source=source, tmp=tmp_path) for argument in arguments]]) == 2
    assert message in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["items", "--help"]) == 0
    told = capsys.readouterr().out
    assert "Usage: bsft items --output PATH" in told and "[default: 0.7]" in told


def test_json_says_what_was_made_and_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, all_cases())
    assert main(["items", str(source), f"--output={tmp_path / 'out'}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["items"]["error_correction"].values()) > 0
    assert found["left_out"] == json.loads((tmp_path / "out" / "items_report.json").read_text())["left_out"]
