"""`bsft-bench build`: builds the open benchmark from the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from omegaconf import MISSING
from rich.console import Console
from rich.table import Table

from bsft.bench.build import BuildSpec, build
from bsft.commands import arguments as key_values
from bsft.display.console import SafeConsole
from bsft.records.errors import BadInput
from bsft.records.schema import Manifest

USAGE = """usage: bsft-bench build output=DIR [key=value ...]

Builds the open benchmark into DIR.

keys:
  data.n_cases=300    simulated cases, about 20.7 items each (6876 gives about 142,000 items)
  data.seed=0         decides every random choice; `seed=` is the same
  data.heldout=true   keep conditions, wordings and kinds of perturbation for the split test_heldout
  workers=null        processes, one a core without it; the result does not depend on it
  progress=true       show a progress bar
"""
MAX_WORKERS = 1024


@dataclass
class DataOptions:
    n_cases: int = 300
    seed: int = 0
    heldout: bool = True


@dataclass
class BuildOptions:
    """Options of `bsft-bench build`."""

    output: Path = MISSING
    data: DataOptions = field(default_factory=DataOptions)
    workers: int | None = None
    progress: bool = True


def parse(arguments: Sequence[str]) -> BuildOptions:
    """Options from `key=value` arguments; `data.` may be left out.

    Raises:
        BadInput: an argument without `=`, an unknown key (with the nearest known one), a value of the wrong type, or
            no output.
    """
    short = tuple(f"{field.name}=" for field in fields(DataOptions))
    full = [f"data.{argument}" if argument.startswith(short) else argument for argument in arguments]
    options = key_values.parse(BuildOptions, full, "bsft-bench build")
    if options.workers is not None and not 1 <= options.workers <= MAX_WORKERS:
        raise BadInput(f"workers: found {options.workers}, allowed: 1 to {MAX_WORKERS}, or null")
    return options


def show(manifest: Manifest, output: Path, console: Console) -> None:
    """A table of items per task and split."""
    table = Table(title=f"{output}: {manifest.name} {manifest.version}")
    table.add_column("task")
    for split in manifest.files:
        table.add_column(split, justify="right")
    for task in manifest.tasks:
        by_split = manifest.counts.get(task.name, {})
        table.add_row(task.name, *(f"{sum(by_split.get(split, {}).values()):,}" for split in manifest.files))
    console.print(table)


def run(arguments: Sequence[str]) -> int:
    """Runs `bsft-bench build`.

    Args:
        arguments: what follows `build`.

    Returns:
        The exit status, 0.

    Raises:
        BadInput: an argument is wrong, or the output cannot be written.
    """
    options = parse(arguments)
    spec = BuildSpec(options.data.n_cases, options.data.seed, options.data.heldout)
    manifest = build(spec, options.output, workers=options.workers or os.cpu_count() or 1, progress=options.progress)
    show(manifest, options.output, SafeConsole())
    return 0
