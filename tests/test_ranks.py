"""Several processes for one job: each rank serves the job that it was started for, and only the first writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jobs import arguments_of, kill_at
from safetensors.torch import load_file

from bsft import launch
from bsft.runs.directory import RunDirectory, run_directories


def train(directory: Path, small: Path, root: Path, *overrides: str) -> list[RunDirectory]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("bsft")), "train", *arguments_of(small, root, *overrides)],
        cwd=directory, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(run_directories(root / "runs"))


@pytest.mark.slow
def test_every_job_of_a_sweep_starts_ranks_of_its_own(small: Path, root: Path, tmp_path: Path) -> None:
    """`redo`, because a further rank must not move the directory aside that the first has just prepared."""
    recipe = ("-m", "method=general_sft,behavior_sft", "trainer.devices=2", "trainer.strategy=ddp", "redo=true")
    found = train(tmp_path, small, root, *recipe)
    assert [(run.status().state, run.metrics()["n"]) for run in found] == [("done", 24), ("done", 24)]
    assert not list((root / "runs").glob(".*.old*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        ("method=behavior_sft", "model.id=gemma3", "trainer.fit.first_layer=1"),
        ("method=general_sft", "method.tuning=full", "trainer.fit.optim.lr=1e-4"),
        ("method=behavior_sft", "trainer.precision=bf16-mixed"),
    ],
    ids=" ".join,
)
def test_sharded_layers_learn_what_whole_ones_learn(
    small: Path, root: Path, tmp_path: Path, recipe: tuple[str, ...]
) -> None:
    """Also after they were killed, and where ranks have unequally many micro-batches, or one has no case."""
    steps = (
        *("trainer.fit.max_epochs=6", "trainer.fit.cases_per_step=11", "trainer.fit.micro_batch_tokens=1500"),
        *("trainer.fit.checkpoint_every_steps=3", "trainer.fit.val_every_steps=2"),
    )
    sharded = ("trainer.strategy=fsdp", "trainer.devices=2")
    [alone] = train(tmp_path, small, root / "alone", *recipe, *steps)
    killed = kill_at(5, small, root / "shared", *recipe, *steps, *sharded)
    assert (killed.path / "checkpoints" / "last.ckpt").exists() and not (killed.path / "adapter").exists()
    [shared] = train(tmp_path, small, root / "shared", *recipe, *steps, *sharded)
    tolerance = 2e-2 if "trainer.precision=bf16-mixed" in recipe else 1e-4
    assert relative_difference(shared, alone) <= tolerance
    assert shared.metrics()["n"] == alone.metrics()["n"] == 24


def weights_of(run: RunDirectory) -> dict[str, torch.Tensor]:
    [file] = (run.path / "adapter").glob("*model.safetensors")
    return load_file(file)


def relative_difference(run: RunDirectory, other: RunDirectory) -> float:
    """Of all trained weights together."""
    ours, theirs = weights_of(run), weights_of(other)
    assert ours.keys() == theirs.keys()
    squares = sum(float((ours[name] - theirs[name]).double().square().sum()) for name in ours)
    return float((squares / sum(float(w.double().square().sum()) for w in theirs.values())) ** 0.5)


def test_the_command_line_of_one_job_of_a_sweep() -> None:
    sources = [SimpleNamespace(provider="main", path="conf"), SimpleNamespace(provider="command-line", path="/mine")]
    job: Any = SimpleNamespace(
        runtime=SimpleNamespace(config_sources=sources), overrides=SimpleNamespace(task=["experiment=pilot", "seed=1"])
    )
    assert launch.job_arguments(job) == ["--config-dir=/mine", "experiment=pilot", "seed=1", "hydra.mode=RUN"]
