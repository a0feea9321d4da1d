"""The command line: what is planned is what runs, what is done is skipped, what failed is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from launching import Launch

from bsft.runs.directory import CONFIG, STATUS, run_directories

# --- what is planned is what runs ---


def test_yaml_files_of_the_users_own_are_found(launched: Launch, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "experiment" / "pilot.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nseed: 42\nsweep: pilot\n")
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot")
    assert ended.code == 0
    assert [name.split("-")[2] for name in ended.ran] == ["s42"]


def test_dry_run_lists_the_jobs_and_starts_none(launched: Launch, root: Path) -> None:
    ended = launched("-m", "seed=0,1,2", "dry_run=true")
    assert (ended.code, ended.ran, root.exists()) == (0, [], False)
    assert "3 jobs" in ended.out and ended.out.count("queued") == 3


# --- running, skipping, starting over -------------------------------------------------------------------------------


def test_each_job_has_its_own_frozen_directory(launched: Launch, root: Path) -> None:
    ended = launched("-m", "method=baseline,behavior_sft", "seed=0,1", "sweep=two")
    assert ended.code == 0
    directories = list(run_directories(root / "two"))
    assert sorted(ended.ran) == [d.path.name for d in directories]
    for directory in directories:
        values = yaml.safe_load((directory.path / CONFIG).read_text())
        assert directory.path.name.startswith(f"{values['config']['method']['name']}-tiny-s{values['config']['seed']}-")
        assert values["identity"] == directory.frozen_identity()


def test_a_flag_between_overrides_is_understood(launched: Launch) -> None:
    assert len(launched("method=baseline", "-m", "seed=0,1").ran) == 2


def test_the_same_command_again_runs_only_what_is_not_done(launched: Launch) -> None:
    first = launched("-m", "seed=0,1")
    again = launched("-m", "seed=0,1")
    assert (again.code, again.ran) == (0, [])
    assert "2 of 2 jobs are already done" in again.err
    # the third is new; a real task leaves the first two alone when Hydra comes to them
    assert "2 of 3 jobs are already done" in launched("-m", "seed=0,1,2").err
    assert len(set(first.ran)) == 2


def test_a_single_job_and_the_same_job_of_a_sweep_share_a_directory(launched: Launch) -> None:
    [alone] = launched("seed=1").ran
    assert "1 of 2 jobs are already done" in launched("-m", "seed=0,1").err
    assert alone.startswith("behavior_sft-tiny-s1-")


def test_redo_starts_over_and_keeps_the_old_directory_aside(launched: Launch, root: Path) -> None:
    [name] = launched().ran
    (root / "runs" / name / "notes.txt").write_text("old")
    for n in range(2):
        assert launched("redo=true").ran == [name]
        assert not (root / "runs" / name / "notes.txt").exists()
        aside = root / "runs" / (f".{name}.old" if n == 0 else f".{name}.old{n}")
        assert (aside / CONFIG).exists()
    assert (root / "runs" / f".{name}.old" / "notes.txt").read_text() == "old"


def test_a_failed_job_makes_the_exit_status_1_while_the_others_finish(launched: Launch, root: Path) -> None:
    ended = launched("-m", "seed=12,13,14")
    assert ended.code == 1
    assert [name.split("-")[2] for name in ended.ran] == ["s12", "s13", "s14"]
    states = {d.path.name.split("-")[2]: d.status().state for d in run_directories(root / "runs")}
    assert states == {"s12": "done", "s13": "failed", "s14": "done"}
    assert f"{root / 'runs' / ended.ran[1]}: failed: thirteen (see run.log there)" in ended.err


def test_a_directory_that_belongs_to_another_configuration_is_refused(launched: Launch, root: Path) -> None:
    [name] = launched().ran
    frozen = root / "runs" / name / CONFIG
    values = yaml.safe_load(frozen.read_text())
    values["identity"]["seed"] = 99
    frozen.write_text(yaml.safe_dump(values))
    ended = launched()
    assert (ended.code, ended.ran) == (2, [])
    assert "belongs to another configuration with the same name; use redo=true or another sweep" in ended.err
    assert launched("redo=true").code == 0


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (CONFIG, "identity: [", "config.yaml: damaged (line 2: not valid YAML"),
        (STATUS, "{", "status.json: damaged"),
    ],
)
def test_a_damaged_run_directory_is_named_and_redo_helps(
    launched: Launch, root: Path, file: str, text: str, sentence: str
) -> None:
    [name] = launched().ran
    (root / "runs" / name / file).write_text(text)
    ended = launched()
    assert ended.code == 2 and sentence in ended.err
    assert launched("redo=true").code == 0
