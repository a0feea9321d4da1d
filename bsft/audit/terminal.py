"""The audit on a terminal: the verdict, what is broken, and the tables that matter most."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bsft.audit.documents import REMARKS_NOTE
from bsft.audit.sections import Section, Story

_STYLES = {"broken": "bold red", "not checked": "dim", "passed": "green", None: ""}


def show(name: str, story: Story, output: Path, console: Console) -> None:
    """Prints the story's brief tables, then what is broken and where the files are."""
    console.print(Text(f"Audit of {name}", style="bold"))
    for section in story.sections:
        if section.brief:
            console.print(_table(section))
    style = "bold red" if story.broken else "bold green"
    console.print(Text(story.verdict, style=style))
    for message in story.broken:
        console.print(Text(f"- {message}"), soft_wrap=True)
    if story.remarks:
        console.print(Text(f"To be judged. {REMARKS_NOTE}", "yellow"))
    for message in story.remarks:
        console.print(Text(f"- {message}"), soft_wrap=True)
    console.print(f"Everything: {output}/audit.html, audit.md, audit.json")


def _table(section: Section) -> Table:
    """Values only: their intervals are in the files."""
    table = Table(
        title=f"\n{section.title}", caption=section.note, title_justify="left", caption_justify="left",
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for i, header in enumerate(section.headers):
        table.add_column("\n".join(header.split(" ")), justify="right" if i else "left", no_wrap=not i, overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(cell.value, style=_STYLES[cell.status]) for cell in row))
    return table
