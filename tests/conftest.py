"""Tests run offline, on one thread, with a cache of their own. Set before anything imports torch or a hub client."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from small import write_small

if TYPE_CHECKING:
    from jobs import Train
    from launching import Launch

# the same examples on every machine, and no deadline that a busy one would miss
hypothesis.settings.register_profile("bsft", deadline=None, derandomize=True)
hypothesis.settings.load_profile("bsft")
os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "WANDB_SILENT": "true", "OMP_NUM_THREADS": "1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew instead of comparing")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`$BSFT_CACHE`, empty at first, shared by the session."""
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BSFT_CACHE", str(directory))
        yield directory


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small benchmark: 12 training, 3 validation and 6 test cases of four items each."""
    directory = tmp_path_factory.mktemp("benchmark") / "small"
    write_small(directory)
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a test's jobs go."""
    return tmp_path / "multirun"


@pytest.fixture
def train(small: Path, root: Path, capfd: pytest.CaptureFixture[str]) -> Train:
    """`bsft-train` with the tiny model on the small benchmark."""
    # torch is imported only where jobs are run
    from jobs import Ended, run_here

    from bsft.runs.directory import run_directories

    def run(*overrides: str) -> Ended:
        code = run_here(small, root, *overrides)
        sweep = root / "runs"
        return Ended(code, capfd.readouterr().err, list(run_directories(sweep)) if sweep.is_dir() else [])

    return run


@pytest.fixture
def launched(small: Path, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Launch:
    """`bsft-train` on the small benchmark, with jobs that do nothing but say that they ran; seed 13 fails."""
    from launching import Ended, launch_without_work

    monkeypatch.setattr(sys, "argv", ["bsft-train"])

    def run(*arguments: str) -> Ended:
        code, ran = launch_without_work(list(arguments), small, root)
        return Ended(code, *capsys.readouterr(), ran)

    return run
