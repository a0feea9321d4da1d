"""What a run was made with: commit, versions, hardware, threads. No secrets: environment variables are not recorded."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from bsft.records.secrets import masked, masked_arguments

_PACKAGES = ("bsft", "torch", "transformers", "peft", "lightning", "tokenizers", "hydra-core", "numpy", "wandb")


def describe() -> dict[str, Any]:
    """The contents of env.json."""
    import torch

    from bsft.model.fast.native.build import obstacle

    return {
        "commit": _git("rev-parse", "HEAD"),
        "diff": masked(_git("diff", "HEAD", "--stat") or ""),
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "n_cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "native_obstacle": obstacle(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "command": masked_arguments(sys.argv),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def _git(*arguments: str) -> str | None:
    """Output of git in the checkout this package lies in, or None outside one."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
