"""Fits that are interrupted at any point: tables, checkpoints and adapters end as if nothing had happened."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import seed_everything
from making import make_config, make_renderer

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.model.backbone import load_backbone
from bsft.model.module import BehaviorLM
from bsft.records.store import open_benchmark
from bsft.runs.directory import RunDirectory
from bsft.runs.job import Job
from bsft.training import fitting
from bsft.training.fitting import CURVES, DurableCheckpointIO, fit
from bsft.training.loggers import Rows, open_logger

TABLE = "csv/metrics.csv"


class Killed(BaseException):
    """Nobody catches it."""


class Killer:
    """Counts the places that a fit passes, and ends it at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for owner, name in (
            (BehaviorLM, "training_step"),
            (BehaviorLM, "validation_step"),
            (Rows, "append"),
            (DurableCheckpointIO, "save_checkpoint"),
            (Path, "replace"),
            (fitting, "seal_adapter"),
        ):
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self._pass()
            result = function(*arguments, **options)
            self._pass()
            return result

        return watched

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def config_of(small: Path, **fit_options: Any) -> cfg.Config:
    recipe = {"cases_per_step": 2, "max_epochs": 2, "checkpoint_every_steps": 2, "val_every_steps": 3, **fit_options}
    return make_config(small, fit=recipe, logger=cfg.LoggerConfig(name="csv"))


def fit_into(directory: Path, config: cfg.Config) -> None:
    """What a job does before it scores."""
    seed_everything(config.seed, verbose=False)
    benchmark, method = open_benchmark(Path(config.data.path)), method_of(config.method)  # type: ignore[attr-defined]
    backbone = load_backbone(config.model, method, seed=config.seed)
    datamodule = BehaviorBenchDataModule(config, benchmark, make_renderer(backbone, method), batching="tree")
    with open_logger(config, directory) as logger:
        fit(Job(config, RunDirectory(directory), backbone, datamodule), logger)
        logger.summarise({"overall": {"macro_f1": 0.5}, "naive": {}, "cost": {"fit_s": 1.0}})


def left_by(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in (CURVES, TABLE, "adapter/adapter_model.safetensors")}


@pytest.fixture(scope="module")
def uninterrupted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("uninterrupted")
    fit_into(directory, config_of(small))
    return left_by(directory)


def test_the_tables_hold_every_step_and_validation_once(uninterrupted: dict[str, bytes]) -> None:
    """12 steps, of which every third is followed by a validation; then the summary."""
    curve = list(csv.DictReader(uninterrupted[CURVES].decode().splitlines()))
    table = list(csv.DictReader(uninterrupted[TABLE].decode().splitlines()))
    steps = sorted([*range(1, 13), 3, 6, 9, 12])
    assert [int(row["step"]) for row in curve] == [int(row["step"]) for row in table[:-1]] == steps
    assert [row["loss"] for row in curve] == [row["train/loss"] for row in table[:-1]]
    assert [row["val_macro_f1"] for row in curve] == [row["val/macro_f1"] for row in table[:-1]]
    assert (table[-1]["test/overall/macro_f1"], "test/cost/fit_s" in table[-1]) == ("0.5", False)


def test_a_fit_that_is_killed_at_more_than_twenty_points_leaves_the_same_bytes(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict[str, bytes]
) -> None:
    """Each attempt passes one place more than the one before, so that it ends in another spot of a step; steps 6 and 12
    have both a checkpoint and a validation."""
    killer = Killer(monkeypatch)
    kills = 0
    while True:
        killer.left = 3 + kills
        try:
            fit_into(tmp_path, config_of(small))
        except Killed:
            kills += 1
            assert kills < 200, "it makes no progress"
        else:
            break
    assert kills > 20
    assert left_by(tmp_path) == uninterrupted


def test_a_table_that_is_torn_off_in_its_last_row_is_mended(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict[str, bytes]
) -> None:
    killer = Killer(monkeypatch)
    killer.left = 100
    with pytest.raises(Killed):
        fit_into(tmp_path, config_of(small))
    for name in (CURVES, TABLE):
        with (tmp_path / name).open("a") as stream:
            stream.write('7,0.1,"')
    killer.left = -1
    fit_into(tmp_path, config_of(small))
    assert left_by(tmp_path) == uninterrupted


def test_a_fit_that_is_scored_again_keeps_its_rows_and_one_summary(
    small: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    for _ in range(2):
        fit_into(tmp_path, config_of(small))
    assert left_by(tmp_path) == uninterrupted


def test_a_fit_that_stopped_early_and_was_killed_then_trains_no_further(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation never gets better; checkpoint and last validation are of the same step."""
    config = config_of(small, patience=1, checkpoint_every_steps=1, val_every_steps=2)
    monkeypatch.setattr(fitting, "validation_metrics", lambda *_: {"macro_f1": 0.5})
    fit_into(tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "seal_adapter", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            fit_into(tmp_path / "killed", config)
    fit_into(tmp_path / "killed", config)
    whole = left_by(tmp_path / "whole")
    assert whole[CURVES].decode().splitlines()[-1] == "4,,,0.5", "stopped at the second validation"
    assert left_by(tmp_path / "killed") == whole


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "tokenizer.json", "complete"])
@pytest.mark.parametrize("kept", [None, 0, 40])
def test_an_adapter_that_lost_something_is_made_again(
    small: Path, tmp_path: Path, uninterrupted: dict[str, bytes], name: str, kept: int | None
) -> None:
    config = config_of(small)
    fit_into(tmp_path, config)
    file = tmp_path / "adapter" / name
    content = file.read_bytes()
    file.unlink() if kept is None else file.write_bytes(content[:kept])
    fit_into(tmp_path, config)
    assert left_by(tmp_path) == uninterrupted
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
