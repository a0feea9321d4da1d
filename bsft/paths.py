"""Where bsft keeps what it makes once: converted weights and generated benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """`$BSFT_CACHE`, or the user's cache directory."""
    return Path(os.environ.get("BSFT_CACHE") or platformdirs.user_cache_dir("bsft"))


def config_dir() -> Path:
    """The Hydra configs: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"
