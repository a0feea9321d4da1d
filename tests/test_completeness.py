"""A run is done when everything that it leaves is there and whole; otherwise it is listed, and run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import Train, assert_same_result, only_run

from bsft.model.module import BehaviorLM
from bsft.records.errors import BadInput
from bsft.report.sweep import job_state, read_sweep
from bsft.runs.completeness import flaw_of_adapter, flaw_of_done, is_done, seconds_of_fit, set_done
from bsft.runs.directory import RunDirectory, run_directories

RECIPE = ("method=behavior_sft", "trainer.fit.max_steps=2")
Damage = Callable[[Path], object]


def emptied(name: str) -> Damage:
    return lambda run: (run / name).write_bytes(b"")


def halved(name: str) -> Damage:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[: (run / name).stat().st_size // 2])


def flipped(name: str) -> Damage:
    """Another byte in the middle, so that the size is the same."""

    def flip(run: Path) -> None:
        content = bytearray((run / name).read_bytes())
        content[len(content) // 2] ^= 1
        (run / name).write_bytes(content)

    return flip


def deleted(name: str) -> Damage:
    return lambda run: (run / name).unlink()


def a_directory(name: str) -> Damage:
    def damage(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return damage


WEIGHTS = "adapter/adapter_model.safetensors"
DAMAGES: dict[str, tuple[str, Damage]] = {
    f"{damage.__name__}-{name}": (name, damage(name))
    for name in ("metrics.json", "predictions.jsonl", WEIGHTS, "adapter/tokenizer.json", "adapter/complete")
    for damage in (emptied, halved, flipped, deleted, a_directory)
}
DAMAGES["no adapter"] = (WEIGHTS.partition("/")[0], lambda run: shutil.rmtree(run / "adapter"))
del DAMAGES["flipped-adapter/complete"]  # a digit more or less of the seconds that fitting took is no damage


@pytest.fixture(scope="module")
def finished(small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return only_run(small, tmp_path_factory.mktemp("finished"), *RECIPE)


@pytest.fixture
def copied(finished: RunDirectory, root: Path) -> RunDirectory:
    """The finished run where this test's command would leave it; other times of change, the same content."""
    target = root / "runs" / finished.path.name
    shutil.copytree(finished.path, target, copy_function=shutil.copy)
    return RunDirectory(target)


def test_a_finished_run_is_done_wherever_it_lies(finished: RunDirectory, copied: RunDirectory) -> None:
    for run in (finished, copied):
        assert is_done(run) and job_state(run).state == "done"
    assert seconds_of_fit(finished.path / "adapter") > 0


@pytest.mark.parametrize("name", DAMAGES)
def test_a_run_that_lost_something_is_listed_with_the_reason(copied: RunDirectory, name: str) -> None:
    file, damage = DAMAGES[name]
    damage(copied.path)
    assert not is_done(copied)
    state = job_state(copied)
    assert state.state == "damaged" and state.reason is not None and str(copied.path / file) in state.reason
    assert state.reason.endswith("; the command that made the run makes what is missing again")
    with pytest.raises(BadInput) as caught:
        read_sweep(copied.path.parent)
    assert str(caught.value) == state.reason


@pytest.mark.parametrize("name", ["deleted-metrics.json", "halved-predictions.jsonl"])
def test_results_that_are_missing_are_scored_again_without_fitting(
    train: Train, copied: RunDirectory, finished: RunDirectory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    DAMAGES[name][1](copied.path)
    monkeypatch.delattr(BehaviorLM, "training_step")
    ended = train(*RECIPE)
    assert ended.code == 0 and "already done" not in ended.err
    assert_same_result(ended.run, finished)
    assert is_done(ended.run)


def test_an_adapter_that_is_missing_is_fitted_again(train: Train, copied: RunDirectory, finished: RunDirectory) -> None:
    DAMAGES[f"emptied-{WEIGHTS}"][1](copied.path)
    assert train(*RECIPE).code == 0
    assert_same_result(copied, finished)
    assert is_done(copied)
    assert "1 of 1 jobs are already done" in train(*RECIPE).err


@pytest.mark.parametrize("identity", ["", "identity:\n", "identity: {}\n", "identity: [a]\n", "config: {}\n"])
def test_a_run_without_an_identity_does_not_vanish(copied: RunDirectory, identity: str) -> None:
    (copied.path / "config.yaml").write_text(identity)
    assert job_state(copied).state == "damaged"
    with pytest.raises(BadInput, match=r"config\.yaml: damaged"):
        read_sweep(copied.path.parent)


@pytest.mark.parametrize(
    "kept",
    ["config.yaml", "status.json", "metrics.json", "predictions.jsonl", "run.log", "env.json", "adapter/complete"],
)
def test_a_directory_with_one_file_of_a_run_is_listed(copied: RunDirectory, kept: str) -> None:
    for file in [path for path in copied.path.rglob("*") if path.is_file() and path != copied.path / kept]:
        file.unlink()
    for directory in sorted((path for path in copied.path.rglob("*") if path.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()
    [found] = run_directories(copied.path.parent)
    assert found == copied
    state = job_state(copied)
    if kept == "config.yaml":
        assert state.state == "queued"
    else:
        assert (state.state, state.reason) == (
            "damaged",
            f"{copied.path / 'config.yaml'}: no such file; the command that made the run makes what is missing again",
        )


def test_runs_of_which_the_status_says_no_more_than_done(copied: RunDirectory) -> None:
    """Their results are looked at instead."""
    status = json.loads((copied.path / "status.json").read_text())
    (copied.path / "status.json").write_text(json.dumps({**status, "results": None}))
    assert is_done(copied)
    file = copied.path / "predictions.jsonl"
    file.write_bytes(file.read_bytes()[:-5])
    assert flaw_of_done(copied) == f"{copied.path / 'predictions.jsonl'}: damaged (its last line has no end)"


@pytest.mark.parametrize(
    "results", [{}, [], 3, {"metrics.json": 3}, {"metrics.json": {}}, {"metrics.json": {"size_bytes": "x"}}]
)
def test_seals_that_are_damaged_are_no_seals(copied: RunDirectory, results: object) -> None:
    status = json.loads((copied.path / "status.json").read_text())
    (copied.path / "status.json").write_text(json.dumps({**status, "results": results}))
    assert flaw_of_done(copied) is not None
    mark = json.loads((copied.path / "adapter" / "complete").read_text())
    (copied.path / "adapter" / "complete").write_text(json.dumps({**mark, "files": results}))
    assert flaw_of_adapter(copied.path / "adapter") is not None


def test_a_run_without_results_cannot_be_called_done(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"metrics\.json: could not be read: No such file or directory"):
        set_done(RunDirectory(tmp_path))
