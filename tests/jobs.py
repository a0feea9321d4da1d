"""Whole jobs in tests: running `bsft-train` in this process, and comparing what it leaves."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bsft import launch
from bsft.runs.directory import PREDICTIONS, STATUS, RunDirectory, run_directories
from bsft.train import task


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


def kill_at(step: int, small: Path, root: Path, *overrides: str) -> RunDirectory:
    """Starts a job in processes of its own and kills them once its status says that it has come to `step`."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("bsft-train")), *arguments_of(small, root, *overrides)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
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
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def only_run(small: Path, root: Path, *overrides: str) -> RunDirectory:
    """The run of a job that is computed in this process and succeeds."""
    assert run_here(small, root, *overrides) == 0
    [directory] = run_directories(root / "runs")
    return directory


def without_cost(directory: RunDirectory) -> dict[str, Any]:
    return {key: value for key, value in directory.metrics().items() if key != "cost"}


def adapter_of(directory: RunDirectory) -> dict[str, torch.Tensor]:
    return load_file(directory.path / "adapter" / "adapter_model.safetensors")


def assert_same_result(a: RunDirectory, b: RunDirectory) -> None:
    """Metrics except cost, predictions and, bit by bit, the adapters."""
    assert without_cost(a) == without_cost(b)
    assert (a.path / PREDICTIONS).read_text() == (b.path / PREDICTIONS).read_text()
    one, other = adapter_of(a), adapter_of(b)
    assert one and one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def curve_of(directory: RunDirectory) -> list[dict[str, str]]:
    with (directory.path / "train.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))
