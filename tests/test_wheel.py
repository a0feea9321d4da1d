"""The wheel works outside the checkout: it carries its configs, case bank and templates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parent.parent


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_wheel_trains_nothing_but_knows_everything(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", str(CHECKOUT), "--no-deps", "--no-build-isolation", "-w", "wheels", cwd=tmp_path)
    [wheel] = (tmp_path / "wheels").glob("bsft-*.whl")
    run(*pip, "install", "--no-deps", "--target", "installed", str(wheel), cwd=tmp_path)
    installed = str(tmp_path / "installed")
    outside = tmp_path / "elsewhere"
    outside.mkdir()

    where = "import bsft.records.paths; print(bsft.__file__, bsft.records.paths.config_dir())"
    for path in run(sys.executable, "-c", where, cwd=outside, PYTHONPATH=installed).split():
        assert path.startswith(installed)

    train = (sys.executable, f"{installed}/bin/bsft-train")
    printed = run(*train, "model=tiny", "--cfg", "job", "--resolve", cwd=outside, PYTHONPATH=installed)
    assert yaml.safe_load(printed)["method"]["name"] == "behavior_sft"
    listed = run(*train, "experiment=demo", "dry_run=true", cwd=outside, PYTHONPATH=installed)
    assert "5 jobs" in listed
    assert list(outside.iterdir()) == []
