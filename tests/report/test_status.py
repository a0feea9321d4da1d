"""`bsft status`: states, ages, interrupted jobs, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import Sweep

from bsft.cli import main
from bsft.commands.status import age


def run(*argv: str) -> int:
    return main(["status", *argv])


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    return {entry["job"]: entry for entry in json.loads(capsys.readouterr().out)}


def test_states_of_a_sweep(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    done = sweep.job("baseline")
    queued = sweep.job("instructed", state="queued")
    alive = sweep.job("general_sft", state="running")
    gone = sweep.job("behavior_sft", state="running")
    sweep.status(gone, "running", pid=ended_pid(), step=120)
    elsewhere = sweep.job("behavior_sft", seed=1, state="running")
    sweep.status(elsewhere, "running", pid=ended_pid(), host="another-host")
    assert run(str(sweep.path), "--json") == 0
    found = as_json(capsys)
    assert {job: entry["state"] for job, entry in found.items()} == {
        done.name: "done",
        queued.name: "queued",
        alive.name: "running",
        gone.name: "interrupted",
        elsewhere.name: "running",
    }
    assert found[gone.name]["reason"] == "run the same command again to resume"
    assert found[gone.name]["step"] == 120
    assert found[done.name]["age_s"] == pytest.approx(90, abs=30)
    assert found[done.name]["sweep"] == "demo"


def test_a_job_without_status_is_queued(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    job = sweep.job(state="queued")
    (job / "status.json").unlink()
    assert run(str(sweep.path), "--json") == 0
    entry = as_json(capsys)[job.name]
    assert (entry["state"], entry["age_s"]) == ("queued", None)


def test_a_failed_job_gives_exit_status_1_and_its_reason(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.job("baseline")
    sweep.job("behavior_sft", state="failed", reason="ValueError: [b] is no markup")
    assert run(str(sweep.path)) == 1
    told = capsys.readouterr().out
    assert "1 done, 1 failed" in " ".join(told.split())
    assert "ValueError: [b] is no markup" in told


def test_a_damaged_status_hides_no_other_job(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    good = sweep.job("baseline")
    bad = sweep.job("behavior_sft")
    (bad / "status.json").write_text('{"state": "do')
    assert run(str(sweep.path)) == 2
    told = capsys.readouterr()
    assert good.name in told.out and "damaged" in told.out
    assert f"{bad / 'status.json'}: damaged" in told.err
    assert told.err.count("\n") == 1


def test_all_sweeps_by_default(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.job("baseline")
    Sweep(sweep.path.parent / "sizes").job("instructed", state="failed")
    monkeypatch.chdir(tmp_path)
    assert run() == 1
    told = capsys.readouterr().out
    assert "multirun/demo: 1 done" in told and "multirun/sizes: 1 failed" in told


def test_what_redo_moved_aside_is_no_job(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    job = sweep.job("baseline")
    old = sweep.job("baseline", state="failed")
    old.rename(old.with_name(f".{old.name}.old"))
    assert run(str(sweep.path), "--json") == 0
    assert list(as_json(capsys)) == [job.name]


def test_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run() == 2
    assert capsys.readouterr().err == "bsft status: multirun: no such directory here; give a sweep's directory\n"
    (tmp_path / "multirun").mkdir()
    assert run() == 0
    assert capsys.readouterr().out == "no jobs in multirun\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-2, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (172_800, "2 d")],
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text
