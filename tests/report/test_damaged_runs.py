"""Sweeps with damaged run directories: what is damaged is named in one sentence, and the rest is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Launch
from made_runs import CURVE, Sweep

from bsft import cli
from bsft.report.rows import _natural
from bsft.report.sweep import read_sweep
from bsft.runs.directory import CONFIG, METRICS, STATUS

JSON = [
    "", "{", "[]", "null", '"done"', "[" * 100_000, '{"state": "done", "state": "failed"}', '{"state": NaN}', "\ud800",
    '{"state": "finished"}', '{"state": 1}', '{"state": "done", "step": "x"}', '{"state": "done", "step": true}',
    '{"state": "done", "pid": -1}', '{"state": "running", "pid": 99999999999999999999}', '{"state": "done", "host": 3}',
    '{"state": "done", "updated_unix_s": 1e999}', '{"state": "done", "step": ' + "9" * 5000 + "}",
    '{"state": "\\ud800"}', '{"state": "done", "other": 1}',
]  # fmt: skip
YAML = [
    "", "- 1", "identity:", "identity: 3", "identity: {}", "identity: {1: 2}", "[" * 100_000, "identity: &a [*a]",
    "identity: {day: !!timestamp 2023-02-30}", "identity: {x: " + "9" * 5000 + "}", "identity: {a: 1, a: 2}",
    "identity: {a: .nan}", "identity: !!python/object:os.system {}",
]  # fmt: skip


def damage(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))


def put_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def put_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def one_sentence(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    return told.out, told.err


@pytest.mark.parametrize("text", JSON)
def test_a_damaged_status_is_a_state_of_its_own(sweep: Sweep, capsys: pytest.CaptureFixture[str], text: str) -> None:
    good, bad = sweep.job("baseline"), sweep.job("instructed")
    damage(bad / STATUS, text)
    assert cli.main(["status", str(sweep.path)]) == 2
    out, err = one_sentence(capsys)
    assert f"{bad / STATUS}: damaged (" in err
    assert good.name in out and bad.name in out
    found = read_sweep(sweep.path)
    assert [job.name for job in found.jobs] == [good.name]
    assert [stands.state for stands in found.unfinished] == ["damaged"]


@pytest.mark.parametrize("text", YAML)
def test_a_damaged_config_costs_its_own_row_only(sweep: Sweep, text: str) -> None:
    good, bad = sweep.job("baseline"), sweep.job("instructed")
    damage(bad / CONFIG, text)
    found = read_sweep(sweep.path)
    assert [job.name for job in found.jobs] == [good.name]
    [problem] = found.problems
    assert problem.startswith(f"{bad / CONFIG}: damaged (") and problem.isprintable()


@pytest.mark.parametrize("replace", [put_directory, put_pipe])
@pytest.mark.parametrize("name", [STATUS, CONFIG, METRICS, "train.csv"])
def test_a_directory_or_a_pipe_in_a_files_place_is_named_and_not_waited_for(
    sweep: Sweep, name: str, replace: Callable[[Path], None]
) -> None:
    good, bad = sweep.job("baseline"), sweep.job("general_sft", curve=CURVE)
    replace(bad / name)
    found = read_sweep(sweep.path)
    assert good.name in [job.name for job in found.jobs]
    [problem] = found.problems
    assert problem.startswith(f"{bad / name}: ")


def test_a_report_of_damaged_runs_is_made_of_the_rest(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.job("baseline")
    damage(sweep.job("instructed") / METRICS, "[" * 100_000)
    damage(sweep.job("few_shot") / CONFIG, "identity: &a [*a]")
    damage(sweep.job("general_sft", curve=CURVE) / "train.csv", "step,step\n")
    assert cli.main(["report", str(sweep.path)]) == 2
    out, err = one_sentence(capsys)
    assert "baseline" in out and "general_sft" in out
    assert "metrics.json: not valid JSON" in err and "config.yaml: damaged" in err and "train.csv: damaged" in err


@pytest.mark.parametrize("replace", [put_directory, put_pipe])
@pytest.mark.parametrize("name", [STATUS, CONFIG])
def test_the_look_for_what_is_done_waits_for_nothing(
    launched: Launch, root: Path, name: str, replace: Callable[[Path], None]
) -> None:
    [job] = launched().ran
    replace(root / "runs" / job / name)
    ended = launched()
    assert (ended.code, ended.ran) == (2, [])
    assert f"{name}: damaged (is a d" in ended.err and ended.err.count("\n") == 1
    assert launched("redo=true").code == 0


def test_any_digits_in_a_models_name_can_be_sorted() -> None:
    names = ["qwen2_5_14b", "qwen2_5_3b", "qwen10b", "b007", "b8", "b²", "b" + "9" * 5000]
    assert sorted(names, key=_natural) == [
        "b007", "b8", "b" + "9" * 5000, "b²", "qwen2_5_3b", "qwen2_5_14b", "qwen10b",
    ]  # fmt: skip
