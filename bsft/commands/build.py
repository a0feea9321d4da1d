"""`bsft build`: builds the open benchmark."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bsft.bench.build import BuildSpec
from bsft.bench.build import build as build_benchmark
from bsft.commands.options import Flat, Json, UserPath, write_json
from bsft.display.console import console_for
from bsft.display.table import Cell, Column, Table
from bsft.records.schema import Manifest


def build(
    *,
    output: UserPath,
    spec: Annotated[BuildSpec, Flat] = BuildSpec(),  # noqa: B008  (frozen)
    workers: Annotated[int | None, Parameter(validator=Number(gte=1, lte=1024))] = None,
    progress: bool = True,
    json: Json = False,
) -> int:
    """Builds BehaviorBench-Open and shows how many items it has.

    The same command goes on from what an interrupted one has finished.

    Args:
        output: the benchmark's directory.
        workers: processes, by default one per core; the result does not depend on it.
        progress: show a progress bar.

    Raises:
        BadInput: a value is not allowed, or the output holds something else or cannot be written.
    """
    manifest = build_benchmark(spec, output, workers=workers or os.cpu_count() or 1, progress=progress)
    if json:
        write_json(summary(manifest, output))
    else:
        console_for(sys.stdout).print(table(manifest, output).rich())
    return 0


def summary(manifest: Manifest, output: Path) -> dict[str, Any]:
    """What the table says."""
    return {
        "path": str(output),
        "name": manifest.name,
        "version": manifest.version,
        "items": {task.name: _items_by_split(manifest, task.name) for task in manifest.tasks},
    }


def table(manifest: Manifest, output: Path) -> Table:
    """Items per task and split."""
    columns = [Column("task"), *(Column(split, "number") for split in manifest.files)]
    rows = [
        [Cell(task.name), *(Cell(f"{n:,}") for n in _items_by_split(manifest, task.name).values())]
        for task in manifest.tasks
    ]
    return Table(f"{output}: {manifest.name} {manifest.version}", columns, rows)


def _items_by_split(manifest: Manifest, task: str) -> dict[str, int]:
    counts = manifest.counts.get(task, {})
    return {split: sum(counts.get(split, {}).values()) for split in manifest.files}
