"""The comparison and the jobs' states on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bsft.report.rows import Row
from bsft.report.sweep import Standing
from bsft.report.tables import Column, leading, used_columns, value_cell

STATE_STYLES = {
    "done": "green",
    "running": "blue",
    "queued": "default",
    "interrupted": "yellow",
    "failed": "bold red",
    "damaged": "bold red",
}


def rich_comparison(rows: Sequence[Row], console: Console, title: str) -> tuple[Table, list[Column]]:
    """The table that fits the console, and the columns for which there was no room."""
    columns = used_columns(rows)
    dropped: list[Column] = []
    while True:
        table = _rich_table(rows, columns, title)
        droppable = [column for column in columns if column.rank]
        wide = Measurement.get(console, console.options.update(max_width=10_000), table).maximum > console.width
        if not wide or not droppable:
            return table, [column for column in used_columns(rows) if column in dropped]
        last = max(reversed(droppable), key=lambda column: column.rank)
        columns.remove(last)
        dropped.append(last)


def _rich_table(rows: Sequence[Row], columns: Sequence[Column], title: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    names = leading(rows)
    for header, _ in names:
        table.add_column(header, justify="right" if header in ("n", "seeds") else "left", overflow="fold")
    for column in columns:
        table.add_column("\n".join(column.header.replace("-i", "-\ni").split(" ")), justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        cells = [value_cell(row, column) for column in columns]
        # intervals stand below their value, which halves the table's width
        texts = [Text(f"{c.value}\n{c.spread}" if c.spread else c.value) for c in cells]
        ends = i + 1 < len(rows) and _section(rows[i + 1]) != _section(row)
        table.add_row(*(Text(v[i]) for _, v in names), *texts, style="dim" if row.naive else None, end_section=ends)
    return table


def _section(row: Row) -> tuple[bool, str, str]:
    return row.naive, row.data, row.model


def rich_standings(standings: Iterable[Standing]) -> Table:
    """The jobs that are not done."""
    table = Table(title="Not done", title_justify="left", header_style="bold")
    for header in ("job", "state", "reason"):
        table.add_column(header, overflow="fold")
    for stands in standings:
        state = Text(stands.state, style=STATE_STYLES[stands.state])
        table.add_row(Text(stands.name), state, Text(stands.reason or ""))
    return table
