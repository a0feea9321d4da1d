"""One kind of table for all that is shown as rows, and its forms: terminal, Markdown, HTML (a macro), CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from bsft.records.escaping import csv_text, markdown

NONE = "–"
"""Shown where there is no value."""

Tone = Literal["", "good", "bad", "failed", "warning", "active", "soft"]
STYLES: dict[Tone, str] = {
    "": "",
    "good": "green",
    "bad": "bold red",
    "failed": "bold red",
    "warning": "yellow",
    "active": "blue",
    "soft": "dim",
}
"""How a terminal shows a tone. "bad" is a value beyond its limit, bold in Markdown too; "failed" says so in words."""


@dataclass(frozen=True)
class Cell:
    """A value as text, and what is shown smaller beside or below it.

    Attributes:
        value: the text.
        spread: its interval in brackets, its deviation, or another remark.
        tone: how it is meant.
        number: the unrounded value, for programs.
        colour: of the text on a page.
    """

    value: str
    spread: str = ""
    tone: Tone = ""
    number: float | None = None
    colour: str = ""

    @classmethod
    def of(cls, value: float | str | None) -> Cell:
        """A number unrounded, a text as it is, nothing for None."""
        return cls("" if value is None else str(value), number=None if isinstance(value, str) else value)

    def __str__(self) -> str:
        return f"{self.value} {self.spread}".rstrip()

    def markdown(self) -> str:
        spread = markdown(self.spread)
        if self.spread.startswith("[") and self.spread.endswith("]"):
            spread = f"[{markdown(self.spread[1:-1])}]"
        text = f"{markdown(self.value)} {spread}".rstrip()
        return f"**{text}**" if self.tone == "bad" else text


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        header: its heading.
        kind: numbers stand on the right and are not wrapped; "long" texts are wrapped anywhere; "code" is monospaced.
        hint: what is shown smaller below the header.
        rank: where a narrow terminal cannot show all, columns with the highest rank go first; those with 0 stay.
        name: what programs know it by; without it, the header.
    """

    header: str
    kind: Literal["text", "number", "long", "code"] = "text"
    hint: str = ""
    rank: int = 0
    name: str = ""

    @property
    def key(self) -> str:
        return self.name or self.header


@dataclass(frozen=True)
class Table:
    """A table with its title. Every row has a cell for every column.

    Attributes:
        title: its heading.
        columns: of the table; the first names the row.
        rows: of the table.
        note: how to read it.
        breaks: indices of rows that have a line above them.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    breaks: frozenset[int] = frozenset()

    def without(self, dropped: Sequence[Column]) -> Table:
        kept = [i for i, column in enumerate(self.columns) if column not in dropped]
        columns, rows = [self.columns[i] for i in kept], [[row[i] for i in kept] for row in self.rows]
        return Table(self.title, columns, rows, self.note, self.breaks)

    def markdown(self) -> str:
        """The lines of the table, without its title and note."""
        headers = [f"{markdown(c.header)} [{markdown(c.hint)}]" if c.hint else markdown(c.header) for c in self.columns]
        rules = ["--:" if column.kind == "number" else ":--" for column in self.columns]
        lines = [headers, rules, *([cell.markdown() for cell in row] for row in self.rows)]
        return "".join(f"| {' | '.join(texts)} |\n" for texts in lines)

    def csv(self) -> str:
        """With the columns' names as its header; numbers are unrounded."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([csv_text(column.key) for column in self.columns])
        for row in self.rows:
            writer.writerow([csv_text(cell.value) if cell.number is None else cell.number for cell in row])
        return stream.getvalue()

    def rich(self, *, brief: bool = False) -> RichTable:
        """For a terminal.

        Args:
            brief: without spreads and frame, so that many columns fit, and with the note.
        """
        table = RichTable(title=self.title, title_justify="left", header_style="bold")
        if brief:
            table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False
            table.title, table.caption, table.caption_justify = f"\n{self.title}", self.note, "left"
        for i, column in enumerate(self.columns):
            number = column.kind == "number"
            header = re.sub(r"(?<=-)(?=\w{5})| ", "\n", column.header) if number else column.header
            justify: Literal["right", "left"] = "right" if number else "left"
            no_wrap = i == 0 if brief else number
            table.add_column(header, justify=justify, no_wrap=no_wrap, overflow="fold")
        for i, row in enumerate(self.rows):
            texts = [cell.value if brief or not cell.spread else f"{cell.value}\n{cell.spread}" for cell in row]
            styled = [Text(text, style=STYLES[cell.tone]) for text, cell in zip(texts, row, strict=True)]
            table.add_row(*styled, end_section=i + 1 in self.breaks)
        return table

    def fitting(self, console: Console) -> tuple[RichTable, list[Column]]:
        """The table that fits the console, and the columns for which there was no room."""
        dropped: list[Column] = []
        while True:
            left = self.without(dropped)
            table = left.rich()
            droppable = [column for column in left.columns if column.rank]
            width = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
            if width <= console.width or not droppable:
                return table, [column for column in self.columns if column in dropped]
            dropped.append(max(reversed(droppable), key=lambda column: column.rank))
