"""`bsft report`: compares the finished jobs of a sweep."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from bsft.commands.options import Json, UserPath, write_json

if TYPE_CHECKING:
    from bsft.report.rows import Row
    from bsft.report.summary import Report


def report(sweep: UserPath, /, *, json: Json = False) -> int:
    """Compares the finished jobs of a sweep.

    Shows a table and writes table.md, table.csv, radar.png, radar.svg and index.html (one self-contained page) to
    report/ below the sweep. Jobs that differ in their seed alone are one row.

    Args:
        sweep: the sweep's directory, multirun/SWEEP, or that of one job.

    Raises:
        BadInput: nothing to report; or, after everything else has been reported, a file that could not be read.
    """
    from bsft.records.errors import BadInput
    from bsft.report.summary import write_report

    written = write_report(sweep)
    if json:
        write_json(_as_json(written))
    else:
        _print(written)
    if written.sweep.problems:
        raise BadInput("; ".join(written.sweep.problems))
    return 0


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "sweep": report.sweep.name,
        "rows": [asdict(replace(row, jobs=())) | {"jobs": [job.name for job in row.jobs]} for row in report.rows],
        "unfinished": [
            {"job": stands.name, "state": stands.state, "reason": stands.reason} for stands in report.sweep.unfinished
        ],
        "files": [str(file) for file in report.files],
    }


def print_comparison(console: Console, name: str, rows: Sequence[Row]) -> None:
    """The table that all rows are in, and how to read it."""
    from bsft.report.tables import common, comparison_table, notes

    table, dropped = comparison_table(rows, ": ".join(filter(None, (name, common(rows))))).fitting(console)
    console.print(table)
    if dropped:
        names = ", ".join(column.header for column in dropped)
        console.print(Text(f"No room here, but in the files: {names}."), style="dim")
    for note in notes(rows):
        console.print(Text(note), style="dim")


def _print(report: Report) -> None:
    from bsft.display.console import console_for
    from bsft.report.tables import unfinished_table

    console = console_for(sys.stdout)
    print_comparison(console, report.sweep.name, report.rows)
    if report.sweep.unfinished:
        console.print(unfinished_table(report.sweep.unfinished).rich())
    for file in report.files:
        console.print(Text(str(file)), soft_wrap=True)
