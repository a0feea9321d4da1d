"""The audit on a terminal: the tables of limits and of what is only reported, the verdict, and what is broken."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from bsft.audit.tables import AuditReport


def show(name: str, report: AuditReport, output: Path, console: Console) -> None:
    """Prints the brief tables, without intervals, then what is broken and where the files are."""
    console.print(Text(f"Audit of {name}", style="bold"))
    for table in report.brief:
        console.print(table.rich(brief=True))
    console.print(Text(report.verdict, style="bold red" if report.broken else "bold green"))
    for message in report.broken:
        console.print(Text(f"- {message}"), soft_wrap=True)
    console.print(f"Everything: {output}/audit.html, audit.md, audit.csv, audit.json")
