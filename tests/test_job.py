"""Whole jobs on the tiny model: fit, score, files, failures, interruption and resumption."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from lightning import Trainer
from making import make_config
from omegaconf import OmegaConf
from safetensors.torch import load_file

from bsft import launch
from bsft.bench.store import BadInput
from bsft.job import run_composed
from bsft.model.module import BehaviorLM
from bsft.runs import CONFIG, ENV, LOG, METRICS, PREDICTIONS, STATUS, RunDirectory, run_directories
from bsft.train import task

METHODS = ["baseline", "instructed", "few_shot", "general_sft", "behavior_sft"]
KEYS = {
    "schema", "method", "model", "data", "split", "seed", "n", "n_shortened", "n_evidence_lost", "overall", "group",
    "task", "naive", "restraint", "behavior", "generation", "cost",
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended, and the run directories of its sweep, by name."""

    code: int
    err: str
    runs: list[RunDirectory]

    @property
    def run(self) -> RunDirectory:
        [only] = self.runs
        return only


Train = Callable[..., Ended]


def arguments_of(small: Path, root: Path, *overrides: str) -> list[str]:
    return [
        *("data=behaviorbench_jsonl", f"data.path={small}", "model=tiny", "logger=none", f"root={root}"),
        *("trainer.score.bootstrap_samples=20", "trainer.precision=32-true"),
        *overrides,
    ]


def run_here(small: Path, root: Path, *overrides: str) -> int:
    """`bsft-train` in this process, which is left as it was."""
    argv = sys.argv
    sys.argv = ["bsft-train"]
    try:
        return launch.main(task, arguments_of(small, root, *overrides))
    finally:
        sys.argv = argv


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "multirun"


@pytest.fixture
def train(small: Path, root: Path, capfd: pytest.CaptureFixture[str]) -> Train:
    def run(*overrides: str) -> Ended:
        code = run_here(small, root, *overrides)
        return Ended(code, capfd.readouterr().err, list(run_directories(root / "runs")))

    return run


def without_cost(directory: RunDirectory) -> dict[str, Any]:
    return {key: value for key, value in directory.metrics().items() if key != "cost"}


def adapter_of(directory: RunDirectory) -> dict[str, torch.Tensor]:
    return load_file(directory.path / "adapter" / "adapter_model.safetensors")


def assert_same_result(a: RunDirectory, b: RunDirectory) -> None:
    """Metrics except cost, predictions and, bit by bit, the adapters."""
    assert without_cost(a) == without_cost(b)
    assert (a.path / PREDICTIONS).read_text() == (b.path / PREDICTIONS).read_text()
    one, other = adapter_of(a), adapter_of(b)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def curve_of(directory: RunDirectory) -> list[dict[str, str]]:
    with (directory.path / "train.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


# --- a sweep over the five methods ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunDirectory]]:
    """The five methods' runs, made by one command."""
    root = tmp_path_factory.mktemp("five")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_API_KEY", "sk-not-to-be-recorded")
        code = run_here(small, root, "-m", f"method={','.join(METHODS)}", "trainer.fit.val_every_steps=2")
    assert code == 0
    yield {directory.metrics()["method"]: directory for directory in run_directories(root / "runs")}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_directory_says_everything_about_itself(five: dict[str, RunDirectory], method: str) -> None:
    directory = five[method]
    assert directory.path.name.startswith(f"{method}-tiny-s0-")
    assert directory.status().state == "done"
    frozen = yaml.safe_load((directory.path / CONFIG).read_text())
    assert frozen["config"]["method"]["name"] == method
    log = (directory.path / LOG).read_text()
    assert f"job {directory.path.name}" in log and "Traceback" not in log
    scores = directory.path / "scores" / "behaviorbench_jsonl-test"
    for name in (METRICS, PREDICTIONS):
        assert (scores / name).read_bytes() == (directory.path / name).read_bytes()
    assert (directory.path / "adapter" / "complete").exists() == method.endswith("_sft")
    assert not [path for path in directory.path.rglob(".*") if path.is_file()], "no scraps"


@pytest.mark.parametrize("method", METHODS)
def test_metrics_and_predictions_have_their_form(five: dict[str, RunDirectory], method: str) -> None:
    metrics = five[method].metrics()
    assert set(metrics) == KEYS
    assert [metrics[key] for key in ("schema", "model", "data", "split", "seed", "n")] == [
        *(1, "tiny", "behaviorbench_jsonl", "test", 0, 24)
    ]
    assert set(metrics["task"]) == {"lab_interpretation", "treatment_planning", "critical_data_alert"}
    assert (metrics["behavior"] is not None) == (method == "behavior_sft")
    assert (metrics["cost"]["fit_s"] > 0) == method.endswith("_sft")
    lines = [json.loads(line) for line in (five[method].path / PREDICTIONS).read_text().splitlines()]
    assert len({line["item_id"] for line in lines}) == 24
    assert {line["arm"] for line in lines} == {"predicted" if method == "behavior_sft" else "none"}
    right = sum(line["predicted"] == line["label"] for line in lines if line["task"] == "treatment_planning")
    assert metrics["task"]["treatment_planning"]["score"] == pytest.approx(right / 6)


def test_naive_rows_are_the_same_for_every_method(five: dict[str, RunDirectory]) -> None:
    rows = [directory.metrics()["naive"] for directory in five.values()]
    assert all(row == rows[0] for row in rows)


def test_the_arms_of_behavior_sft(five: dict[str, RunDirectory]) -> None:
    assert list(five["behavior_sft"].metrics()["behavior"]["arms"]) == [
        *("predicted", "forced_right", "forced_wrong", "none")
    ]


def test_env_says_what_a_run_was_made_with_and_no_secrets(five: dict[str, RunDirectory]) -> None:
    text = (five["baseline"].path / ENV).read_text()
    found = json.loads(text)
    assert found["versions"]["torch"] == torch.__version__
    assert {"commit", "python", "platform", "threads", "n_cpus", "command"} <= set(found)
    assert "sk-not-to-be-recorded" not in text


def test_curves_have_every_step_and_validation(five: dict[str, RunDirectory]) -> None:
    for method in ("general_sft", "behavior_sft"):
        curve = curve_of(five[method])
        assert [row["step"] for row in curve if row["loss"]] == ["1", "2", "3"]
        assert [row["step"] for row in curve if row["val_macro_f1"]] == ["2"]


# --- again ----------------------------------------------------------------------------------------------------------


def test_what_is_done_is_left_alone_and_redo_repeats_it(train: Train) -> None:
    first = train("trainer.fit.max_steps=2")
    metrics = first.run.path / METRICS
    written = metrics.stat().st_mtime_ns
    again = train("trainer.fit.max_steps=2")
    assert again.code == 0 and metrics.stat().st_mtime_ns == written
    assert "1 of 1 jobs are already done" in again.err
    old = without_cost(first.run)
    redone = train("trainer.fit.max_steps=2", "redo=true")
    assert redone.code == 0 and metrics.stat().st_mtime_ns != written
    assert without_cost(redone.run) == old


def test_a_fitted_run_that_lost_its_scores_only_scores(train: Train) -> None:
    first = train("trainer.fit.max_steps=2").run
    metrics, curve = without_cost(first), (first.path / "train.csv").stat().st_mtime_ns
    fit_s = first.metrics()["cost"]["fit_s"]
    (first.path / METRICS).unlink()
    first.set_status("failed", "killed while scoring")
    again = train("trainer.fit.max_steps=2")
    assert again.code == 0
    assert without_cost(again.run) == metrics
    assert again.run.metrics()["cost"]["fit_s"] == fit_s
    assert (first.path / "train.csv").stat().st_mtime_ns == curve


def test_limits_and_tasks_cut_what_is_scored(train: Train) -> None:
    ended = train("method=baseline", "data.max_eval_items=8", "data.tasks=[critical_data_alert]")
    assert ended.run.metrics()["n"] == 8
    assert set(ended.run.metrics()["task"]) == {"critical_data_alert"}


def test_a_forced_token_is_the_arm_of_the_run(train: Train) -> None:
    forced = ("method.behavior.mode=force", "method.behavior.token=proactive")
    run = train("trainer.fit.max_steps=1", *forced).run
    lines = [json.loads(line) for line in (run.path / PREDICTIONS).read_text().splitlines()]
    assert {(line["arm"], line["behavior"]) for line in lines} == {("forced", "proactive")}


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer=debug"],
        ["trainer=debug", "trainer.precision=bf16-mixed"],
        ["trainer=debug", "trainer.batching=flat"],
        ["trainer=debug", "method=general_sft", "method.tuning=full"],
        ["trainer=debug", "model.id=llama_untied", "method.gradient_checkpointing=true"],
        ["trainer=debug", "model.id=gemma3", "method.lora.dropout=0.1"],
        ["trainer=debug", "trainer.fit.patience=1"],
    ],
    ids=" ".join,
)
def test_variants_run_to_their_end(train: Train, overrides: list[str]) -> None:
    ended = train(*overrides)
    assert ended.code == 0
    assert ended.run.metrics()["n"] == 2
    assert ended.run.metrics()["generation"]["n"] == 2


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_failing_job_leaves_its_reason_and_the_others_finish(train: Train) -> None:
    ended = train("-m", "method=baseline", "data.tasks=[no_such_task],[lab_interpretation]")
    assert ended.code == 1
    by_state = {directory.status().state: directory for directory in ended.runs}
    assert set(by_state) == {"failed", "done"}
    failed = by_state["failed"]
    reason = failed.status().reason or ""
    assert reason.startswith("data.tasks: unknown no_such_task; ")
    assert f"{failed.path}: failed: {reason} (see run.log there)" in ended.err
    log = (failed.path / LOG).read_text()
    assert "Traceback (most recent call last)" in log and "BadInput: data.tasks: unknown no_such_task" in log
    assert "Traceback" not in (by_state["done"].path / LOG).read_text()


def test_an_error_that_nobody_foresaw_is_recorded_with_its_type(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("bsft.job.score", broken)
    ended = train("method=baseline")
    assert ended.code == 1
    assert ended.run.status().reason == "ZeroDivisionError: surprise"
    assert "ZeroDivisionError: surprise" in (ended.run.path / LOG).read_text()


def test_a_failed_job_is_tried_again_by_the_same_command(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("bsft.job.load_backbone", lambda *_, **__: (_ for _ in ()).throw(BadInput("no weights")))
        assert train("method=baseline").code == 1
    assert train("method=baseline").run.status().state == "done"


def test_a_job_leaves_no_log_handler_behind(train: Train) -> None:
    before = list(logging.getLogger().handlers)
    train("method=baseline", "data.max_eval_items=4")
    assert logging.getLogger().handlers == before


def test_a_job_whose_frozen_config_is_another_one_fails(small: Path, root: Path) -> None:
    config = make_config(small, root=str(root))
    directory = RunDirectory.of(config)
    directory.freeze(config)
    values = yaml.safe_load((directory.path / CONFIG).read_text())
    values["identity"]["trainer"]["fit"]["max_epochs"] = 9
    (directory.path / CONFIG).write_text(yaml.safe_dump(values))
    with pytest.raises(BadInput, match=r"conf/ changed after this sweep was started; start it again with redo=true"):
        run_composed(OmegaConf.structured(config))
    assert not (directory.path / METRICS).exists()


@pytest.mark.parametrize(("launcher", "raised"), [("BasicLauncher", False), ("SlurmLauncher", True)])
def test_a_clusters_scheduler_sees_the_failure(monkeypatch: pytest.MonkeyPatch, launcher: str, raised: bool) -> None:
    """In this process the directory says it, and the sweep goes on."""

    def broken(_: object) -> None:
        raise BadInput("no")

    hydra = SimpleNamespace(launcher=SimpleNamespace(_target_=f"somewhere.{launcher}"))
    monkeypatch.setattr("bsft.job.run_composed", broken)
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    with pytest.raises(BadInput, match="no") if raised else contextlib.nullcontext():
        task(OmegaConf.create())


# --- interruption ---------------------------------------------------------------------------------------------------

LONG = (
    *("method=behavior_sft", "method.lora.dropout=0.2", "trainer.fit.max_epochs=8", "trainer.fit.val_every_steps=9"),
    *("trainer.fit.checkpoint_every_steps=4",),
)
"""24 steps; dropout, so that random states matter."""


@pytest.fixture(scope="module")
def uninterrupted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    root = tmp_path_factory.mktemp("uninterrupted")
    assert run_here(small, root, *LONG) == 0
    [directory] = run_directories(root / "runs")
    return directory


def kill_at(small: Path, root: Path, step: int) -> RunDirectory:
    """Starts the long job in a process of its own and kills it once its status says that it has come to `step`."""
    script = "from bsft.train import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments_of(small, root, *LONG)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert process.poll() is None, "it ended before it was killed"
            for file in root.glob(f"runs/*/{STATUS}"):
                if (RunDirectory(file.parent).status().step or 0) >= step:
                    return RunDirectory(file.parent)
            time.sleep(0.005)
        raise AssertionError("it never came to the step")
    finally:
        process.kill()
        process.wait()


def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(
    small: Path, root: Path, train: Train, uninterrupted: RunDirectory
) -> None:
    killed = kill_at(small, root, step=11)
    assert killed.status().state == "running"
    assert (killed.path / "checkpoints" / "last.ckpt").exists() and not (killed.path / "adapter").exists()
    resumed = train(*LONG)
    assert resumed.code == 0
    assert resumed.run.path == killed.path
    assert_same_result(resumed.run, uninterrupted)
    assert _curve_without_validation(resumed.run) == _curve_without_validation(uninterrupted)


def _curve_without_validation(directory: RunDirectory) -> list[tuple[str, str, str]]:
    return [(row["step"], row["loss"], row["lr"]) for row in curve_of(directory) if row["loss"]]


@pytest.mark.parametrize("step", [1, 10])
def test_ctrl_c_leaves_a_queued_job_that_resumes(
    train: Train, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory, step: int
) -> None:
    """Before the first checkpoint, and between two."""
    learn = BehaviorLM.training_step

    def interrupted(self: BehaviorLM, *arguments: Any) -> None:
        if self.global_step == step:
            raise KeyboardInterrupt
        learn(self, *arguments)

    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(BehaviorLM, "training_step", interrupted)
        stopped = train(*LONG)
    assert signal.getsignal(signal.SIGINT) is handler
    assert stopped.code == 1
    assert (stopped.run.status().state, stopped.run.status().reason) == ("queued", "interrupted")
    assert train(*LONG).code == 0
    assert_same_result(stopped.run, uninterrupted)


def test_a_resumed_run_repeats_no_step(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps behind the last checkpoint are done again, those before it are not."""
    done: list[int] = []
    learn = BehaviorLM.training_step

    def watched(self: BehaviorLM, *arguments: Any) -> None:
        if len(done) == 6:
            done.append(-1)
            raise RuntimeError("power cut")
        done.append(self.global_step)
        learn(self, *arguments)

    monkeypatch.setattr(BehaviorLM, "training_step", watched)
    recipe = ("trainer.fit.max_epochs=3", "trainer.fit.checkpoint_every_steps=4")
    assert train(*recipe).code == 1
    assert train(*recipe).code == 0
    assert done == [0, 1, 2, 3, 4, 5, -1, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file"])
def test_a_damaged_checkpoint_is_one_sentence(train: Train, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    recipe = ("trainer.fit.max_steps=2", "trainer.fit.checkpoint_every_steps=1")

    def full(*_: object) -> None:
        raise BadInput("adapter: could not be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bsft.model.backbone.Backbone.save_adapter", full)
        stopped = train(*recipe)
    assert stopped.code == 1
    last = stopped.run.path / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    last.write_bytes(damage or whole[: len(whole) // 2])
    ended = train(*recipe)
    assert ended.code == 1
    assert ended.run.status().reason == f"{last}: the checkpoint is damaged; delete it or use redo=true"
    last.unlink()
    assert train(*recipe).code == 0


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(
    train: Train, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory
) -> None:
    save = Trainer.save_checkpoint

    def full(self: Trainer, *arguments: Any, **options: Any) -> None:
        if self.global_step == 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save_checkpoint", full)
        stopped = train(*LONG)
    assert stopped.code == 1
    assert stopped.run.status().reason == "OSError: [Errno 28] No space left on device"
    last = torch.load(stopped.run.path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4
    assert train(*LONG).code == 0
    assert_same_result(stopped.run, uninterrupted)


# --- loggers --------------------------------------------------------------------------------------------------------


def test_every_job_of_a_sweep_has_a_wandb_run_of_its_own(train: Train) -> None:
    import wandb

    ended = train("-m", "logger=wandb", "method=baseline", "seed=0,1", "data.max_eval_items=4")
    assert ended.code == 0
    assert wandb.run is None
    for directory in ended.runs:
        [offline] = (directory.path / "wandb").glob("offline-run-*")
        assert offline.name.endswith(directory.path.name)


def test_a_csv_logger_writes_into_its_directory(train: Train) -> None:
    ended = train("logger=csv", "trainer.fit.max_steps=1")
    assert list((ended.run.path / "csv").rglob("metrics.csv"))


def test_a_wandb_that_does_not_start_never_stops_a_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise RuntimeError("service did not start")

    monkeypatch.setattr("bsft.loggers.WandbLogger", down)
    ended = train("logger=wandb", "method=baseline", "data.max_eval_items=4")
    assert ended.code == 0
    assert "wandb did not start (service did not start)" in (ended.run.path / LOG).read_text()
