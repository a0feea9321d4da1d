"""Several processes for one job: each rank serves the job that it was started for, and only the first writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jobs import arguments_of

from bsft import launch
from bsft.runs import run_directories


@pytest.mark.slow
def test_every_job_of_a_sweep_starts_ranks_of_its_own(small: Path, root: Path, tmp_path: Path) -> None:
    """`redo`, because a further rank must not move the directory aside that the first has just prepared."""
    recipe = ("-m", "method=general_sft,behavior_sft", "trainer.devices=2", "trainer.strategy=ddp", "redo=true")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("bsft-train")), *arguments_of(small, root, *recipe)],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = list(run_directories(root / "runs"))
    assert [(run.status().state, run.metrics()["n"]) for run in found] == [("done", 24), ("done", 24)]
    assert not list((root / "runs").glob(".*.old*"))


def test_the_command_line_of_one_job_of_a_sweep() -> None:
    sources = [SimpleNamespace(provider="main", path="conf"), SimpleNamespace(provider="command-line", path="/mine")]
    job: Any = SimpleNamespace(
        runtime=SimpleNamespace(config_sources=sources), overrides=SimpleNamespace(task=["experiment=pilot", "seed=1"])
    )
    assert launch.job_arguments(job) == ["--config-dir=/mine", "experiment=pilot", "seed=1", "hydra.mode=RUN"]
