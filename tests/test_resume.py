"""Interrupted jobs: killed, stopped, out of disk; the same command goes on and ends as if nothing had happened."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from jobs import Train, arguments_of, assert_same_result, kill_at, only_run
from lightning import Trainer

from bsft.model.module import BehaviorLM
from bsft.records.errors import BadInput
from bsft.runs.directory import RunDirectory, run_directories
from bsft.training.fitting import CHECKPOINT, CURVES

LONG = (
    *("method=behavior_sft", "method.lora.dropout=0.2", "trainer.fit.max_epochs=8", "trainer.fit.val_every_steps=9"),
    *("trainer.fit.checkpoint_every_steps=4",),
)
"""24 steps; dropout, so that random states matter."""


@pytest.fixture(scope="module")
def uninterrupted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return only_run(small, tmp_path_factory.mktemp("uninterrupted"), *LONG)


def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(
    small: Path, root: Path, train: Train, uninterrupted: RunDirectory
) -> None:
    killed = kill_at(11, small, root, *LONG)
    assert killed.status().state == "running"
    assert (killed.path / "checkpoints" / "last.ckpt").exists() and not (killed.path / "adapter").exists()
    resumed = train(*LONG)
    assert resumed.code == 0
    assert resumed.run.path == killed.path
    assert_same_result(resumed.run, uninterrupted)
    assert (resumed.run.path / CURVES).read_bytes() == (uninterrupted.path / CURVES).read_bytes()


KILLED_WHILE_WRITING = """
import resource, signal, sys
from pathlib import Path
from lightning import Trainer
from bsft.train import main

save = Trainer.save_checkpoint

def killed_in_the_middle(self, path, *arguments, **options):
    if self.global_step == 8:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (Path(path).stat().st_size // 2,) * 2)
    save(self, path, *arguments, **options)

Trainer.save_checkpoint = killed_in_the_middle
main()
"""
"""The system kills a process, without its doing anything more, that writes more to a file than it may."""


@pytest.fixture
def another_filesystem(tmp_path: Path) -> Iterator[Path]:
    """A directory for temporary files that lies on another filesystem than the runs, where there is one."""
    memory = Path("/dev/shm")
    beside = memory if memory.is_dir() and memory.stat().st_dev != tmp_path.stat().st_dev else tmp_path
    with TemporaryDirectory(dir=beside) as directory:
        yield Path(directory)


def test_a_kill_in_the_middle_of_writing_a_checkpoint_keeps_the_one_before(
    small: Path, root: Path, train: Train, uninterrupted: RunDirectory, another_filesystem: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, *arguments_of(small, root, *LONG)],
        env={**os.environ, "TMPDIR": str(another_filesystem)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGXFSZ, ended.stderr.decode()
    [killed] = run_directories(root / "runs")
    assert torch.load(killed.path / CHECKPOINT, weights_only=True)["global_step"] == 4
    resumed = train(*LONG)
    assert resumed.code == 0
    assert_same_result(resumed.run, uninterrupted)
    assert (resumed.run.path / CURVES).read_bytes() == (uninterrupted.path / CURVES).read_bytes()
    assert [file.name for file in (resumed.run.path / "checkpoints").iterdir()] == ["last.ckpt"]


def test_the_last_checkpoint_is_never_written_to(
    train: Train, monkeypatch: pytest.MonkeyPatch, another_filesystem: Path
) -> None:
    """A second name for it keeps what it was while the next is written."""
    monkeypatch.setattr(tempfile, "tempdir", str(another_filesystem))
    save = Trainer.save_checkpoint
    steps: list[int] = []

    def watched(self: Trainer, path: Path, *arguments: Any, **options: Any) -> None:
        before = Path(path).with_name("before")
        if Path(path).exists():
            before.hardlink_to(path)
        save(self, path, *arguments, **options)
        if before.exists():
            steps.append(torch.load(before, weights_only=True)["global_step"])
            before.unlink()

    monkeypatch.setattr(Trainer, "save_checkpoint", watched)
    assert train("trainer.fit.checkpoint_every_steps=1").code == 0
    assert steps == [1, 2]


@pytest.fixture
def not_ignoring_interrupts() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored, and Python leaves it at that."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.usefixtures("not_ignoring_interrupts")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 10])
def test_a_signal_leaves_a_queued_job_that_resumes(
    train: Train, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory, step: int, number: int, code: int
) -> None:
    """Before the first checkpoint, and between two."""
    learn = BehaviorLM.training_step

    def interrupted(self: BehaviorLM, *arguments: Any) -> None:
        if self.global_step == step:
            os.kill(os.getpid(), number)
        learn(self, *arguments)

    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(BehaviorLM, "training_step", interrupted)
        stopped = train(*LONG)
    assert signal.getsignal(signal.SIGINT) is handler
    assert stopped.code == code
    assert "interrupted; 0 of 1 jobs are done; the same command goes on from there" in stopped.err
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
    checkpoints = stopped.run.path / "checkpoints"
    assert stopped.run.status().reason == f"{checkpoints}: No space left on device; the last checkpoint is intact"
    last = torch.load(checkpoints / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4
    assert train(*LONG).code == 0
    assert_same_result(stopped.run, uninterrupted)
