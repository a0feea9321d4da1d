"""`bsft report`: compares the finished jobs of a sweep."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from bsft.commands.options import Json, UserPath, write_json

if TYPE_CHECKING:
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


def _print(report: Report) -> None:
    from bsft.display.console import console_for
    from bsft.report.tables import common, comparison_table, notes, unfinished_table

    console = console_for(sys.stdout)
    title = ": ".join(filter(None, (report.sweep.name, common(report.rows))))
    table, dropped = comparison_table(report.rows, title).fitting(console)
    console.print(table)
    if dropped:
        names = ", ".join(column.header for column in dropped)
        console.print(Text(f"No room here, but in the files: {names}."), style="dim")
    for note in notes(report.rows):
        console.print(Text(note), style="dim")
    if report.sweep.unfinished:
        console.print(unfinished_table(report.sweep.unfinished).rich())
    for file in report.files:
        console.print(Text(str(file)), soft_wrap=True)
