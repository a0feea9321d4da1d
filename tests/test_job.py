"""Whole jobs on the tiny model: fit, score, files, failures and loggers."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from jobs import Train, curve_of, run_here, without_cost
from making import make_config
from omegaconf import OmegaConf

from bsft import config as cfg
from bsft.launch.checks import prepare
from bsft.records.errors import BadInput
from bsft.runs.directory import CONFIG, ENV, LOG, METRICS, PREDICTIONS, RunDirectory, run_directories
from bsft.train import task
from bsft.training.job import run_composed

METHODS = ["baseline", "instructed", "few_shot", "general_sft", "behavior_sft"]
KEYS = {
    "schema", "method", "model", "data", "split", "seed", "n", "n_shortened", "n_evidence_lost", "overall", "group",
    "task", "naive", "restraint", "flags", "behavior", "generation", "cost",
}  # fmt: skip


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
    assert rows[0] and all(row == rows[0] for row in rows)


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
    ended = train("-m", "method=few_shot", "method.k=60,1", "data.max_eval_items=4")
    assert ended.code == 1
    by_state = {directory.status().state: directory for directory in ended.runs}
    assert set(by_state) == {"failed", "done"}
    failed = by_state["failed"]
    reason = failed.status().reason or ""
    assert reason.startswith("method.k=60: the training split has only ")
    assert f"{failed.path}: failed: {reason} (see run.log there)" in ended.err
    log = (failed.path / LOG).read_text()
    assert "Traceback (most recent call last)" in log and "BadInput: method.k=60: the training split" in log
    assert "Traceback" not in (by_state["done"].path / LOG).read_text()


def test_an_error_that_nobody_foresaw_is_recorded_with_its_type(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("bsft.training.job.score", broken)
    ended = train("method=baseline")
    assert ended.code == 1
    assert ended.run.status().reason == "ZeroDivisionError: surprise"
    assert "ZeroDivisionError: surprise" in (ended.run.path / LOG).read_text()


def test_a_failed_job_is_tried_again_by_the_same_command(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("bsft.runs.job.load_backbone", lambda *_, **__: (_ for _ in ()).throw(BadInput("no weights")))
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
    with pytest.raises(BadInput, match="conf/, the data or the model have changed since"):
        run_composed(OmegaConf.structured(config))
    assert not (directory.path / METRICS).exists()


def test_a_job_that_was_not_planned_does_not_run(train: Train, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the plan and the job, conf/ changes: here, the schema's default."""

    def prepare_then_change(job: cfg.Config) -> None:
        prepare(job)
        monkeypatch.setattr("bsft.runs.identity.SCHEMA_VERSION", 99)

    monkeypatch.setattr("bsft.launch.command.prepare", prepare_then_change)
    ended = train("method=baseline")
    assert ended.code == 1
    assert "not a job that was planned when the command was started: conf/, the data or the model have" in ended.err
    assert f"{ended.run.path}: queued" not in ended.err or not (ended.run.path / METRICS).exists()
    assert [path.name for path in root.rglob(METRICS)] == []


def test_a_failure_that_cannot_be_written_down_is_told(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk fails the job, then the record of its failure too."""

    def full(self: RunDirectory, state: str, *_: object, **__: object) -> None:
        raise BadInput("status.json: could not be written: No space left on device")

    def fill_disk(*_: object, **__: object) -> None:
        monkeypatch.setattr(RunDirectory, "set_status", full)
        raise BadInput("predictions.jsonl: could not be written: No space left on device")

    monkeypatch.setattr("bsft.training.job.score", fill_disk)
    ended = train("method=baseline")
    assert ended.code == 1 and "Traceback" not in ended.err
    assert (
        "predictions.jsonl: could not be written: No space left on device; "
        "status.json: could not be written: No space left on device"
    ) in ended.err


@pytest.mark.parametrize(("launcher", "raised"), [("BasicLauncher", False), ("SlurmLauncher", True)])
def test_a_clusters_scheduler_sees_the_failure(monkeypatch: pytest.MonkeyPatch, launcher: str, raised: bool) -> None:
    """In this process the directory says it, and the sweep goes on."""

    def broken(_: object) -> None:
        raise BadInput("no")

    hydra = SimpleNamespace(
        launcher=SimpleNamespace(_target_=f"somewhere.{launcher}"),
        mode=RunMode.RUN,
        overrides=SimpleNamespace(task=[]),
        runtime=SimpleNamespace(config_sources=[]),
    )
    monkeypatch.setattr("bsft.training.job.run_composed", broken)
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    with pytest.raises(BadInput, match="no") if raised else contextlib.nullcontext():
        task(OmegaConf.create())


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

    monkeypatch.setattr("wandb.init", down)
    ended = train("logger=wandb", "method=baseline", "data.max_eval_items=4")
    assert ended.code == 0
    assert "wandb did not start offline (service did not start)" in (ended.run.path / LOG).read_text()
