"""Baselines: what the benchmarks measured on a processor, kept in the repository for a later run to be held against.

A file per processor and number of cores in `benchmarks/baselines/`; in it an entry per measurement, each with the
commit, the version of torch and the date that it is of. A measurement that is repeated replaces its own entry only.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bsft.records.files import write_json
from bsft.records.untrusted import read_json

DIRECTORY = Path(__file__).with_name("baselines")


def file_name(processor: str, n_cores: int) -> str:
    """Such as `amd-epyc-7b13-2-cores.json`."""
    slug = re.sub(r"[^a-z0-9]+", "-", processor.lower()).strip("-") or "unknown"
    return f"{slug}-{n_cores}-cores.json"


def keep(
    measurement: str,
    figures: Mapping[str, float],
    environment: Mapping[str, Any],
    *,
    directory: Path = DIRECTORY,
    date: datetime.date | None = None,
) -> Path:
    """Writes the entry of a measurement and leaves those of others as they are.

    Args:
        measurement: the benchmark and all that was chosen for it.
        figures: ratios, seconds and MiB, named with their unit.
        environment: what `environment` in `_common.py` returns.
        date: today's where none is given.

    Returns:
        The file.

    Raises:
        BadInput: the file is there and is not JSON.
    """
    file = directory / file_name(environment["device"], environment["cores"])
    known = read_json(file)["measurements"] if file.exists() else {}
    entry = {
        "date": (date or datetime.datetime.now(datetime.UTC).date()).isoformat(),
        "commit": environment["commit"],
        "torch": environment["versions"]["torch"],
        "threads": environment["threads"],
        "figures": {name: float(f"{value:.4g}") for name, value in figures.items()},
    }
    content = {
        "processor": environment["device"],
        "cores": environment["cores"],
        "measurements": dict(sorted({**known, measurement: entry}.items())),
    }
    directory.mkdir(parents=True, exist_ok=True)
    write_json(file, content)
    return file
