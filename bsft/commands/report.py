"""Compares the finished jobs of a sweep.

Prints a table and writes table.md, table.csv, radar.png, radar.svg and index.html (one self-contained page) to report/
below the sweep. Jobs that differ in their seed alone are one row.
"""

from __future__ import annotations

import argparse
import sys

from rich.text import Text

from bsft.records.paths import user_path


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sweep", type=user_path, metavar="multirun/SWEEP", help="the sweep's directory, or that of one job"
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Raises:
        BadInput: nothing to report; or, after everything else has been reported, a file that could not be read.
    """
    from bsft.display.console import console_for
    from bsft.records.errors import BadInput
    from bsft.report.summary import write_report
    from bsft.report.tables import common, comparison_table, notes, unfinished_table

    report = write_report(arguments.sweep)
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
    if report.sweep.problems:
        raise BadInput("; ".join(report.sweep.problems))
    return 0
