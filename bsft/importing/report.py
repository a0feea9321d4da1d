"""What an import did, for people (tables) and for programs (`import_report.json`)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console

from bsft.display.table import Cell, Column, Table
from bsft.records.escaping import json_text
from bsft.records.store.writing import IMPORT_REPORT as REPORT
from bsft.records.untrusted import file_sha256

SHOWN = 12
"""Findings of one kind that are printed; the file has them all."""

Outcome = Literal["parsed", "text", "unparsed", "empty"]
OUTCOMES: tuple[Outcome, ...] = ("parsed", "text", "unparsed", "empty")
"""A field's value became a number with a unit (or the like); is words and stays so; has numbers that could not be
parsed and stays text; or says nothing ("N/A") and is left out."""


@dataclass(frozen=True)
class Finding:
    """A value of the source that is worth a look: where it is and what was found."""

    record: str
    field: str
    found: str


@dataclass
class ImportReport:
    """Counts and findings of one import.

    Attributes:
        format: what was imported.
        source: where it lay.
        sha256: file of the source -> SHA-256.
        read: records in the source.
        written: file of the output -> records.
        fields: field -> outcome -> count.
        unparsed, empty: the values with these two outcomes.
        repaired, assumed, noticed, dropped: sentences.
        usage: what a language model consumed and did.
    """

    format: str
    source: str
    sha256: dict[str, str] = field(default_factory=dict)
    read: int = 0
    written: dict[str, int] = field(default_factory=dict)
    fields: dict[str, dict[str, int]] = field(default_factory=dict)
    unparsed: list[Finding] = field(default_factory=list)
    empty: list[Finding] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    noticed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)

    def count(self, record: str, name: str, found: str, outcome: Outcome) -> None:
        """Counts one value of a field and keeps it where a person should look at it."""
        self.fields.setdefault(name, dict.fromkeys(OUTCOMES, 0))[outcome] += 1
        if outcome in ("unparsed", "empty"):
            getattr(self, outcome).append(Finding(record, name, found))

    def add_source(self, file: Path) -> None:
        """Names a file of the source by its content.

        Raises:
            BadInput: there is no such file, or it is not a regular file.
        """
        self.sha256[file.name] = file_sha256(file)

    def write(self, directory: Path) -> None:
        (directory / REPORT).write_text(json_text(asdict(self)) + "\n", encoding="utf-8")

    def show(self, output: Path, console: Console) -> None:
        """Prints the tables."""
        sentences = {name: getattr(self, name) for name in ("repaired", "assumed", "noticed", "dropped")}
        counts = {"read": self.read} | {f"written to {name}": count for name, count in self.written.items()}
        counts |= {name: len(found) for name, found in sentences.items() if found}
        counts |= {name.replace("_", " "): count for name, count in self.usage.items()}
        title = f"{output}: imported from {self.source}"
        console.print(_count_table(title, "", ["count"], {name: [count] for name, count in counts.items()}).rich())
        if self.fields:
            by_kind: dict[str, Counter[str]] = defaultdict(Counter)
            for name, outcomes in self.fields.items():
                by_kind[name.partition(":")[0]].update(outcomes)
            rows = {kind: [found[outcome] for outcome in OUTCOMES] for kind, found in sorted(by_kind.items())}
            console.print(_count_table("values by outcome", "kind", OUTCOMES, rows).rich())
        for name, found in sentences.items():
            _list(console, name, found)
        _list(console, "kept as text, not parsed", [f"{f.record}: {f.field}: {f.found}" for f in self.unparsed])


def _count_table(title: str, header: str, columns: Sequence[str], rows: Mapping[str, Sequence[int]]) -> Table:
    cells = [[Cell(name), *(Cell(f"{count:,}", number=count) for count in counts)] for name, counts in rows.items()]
    return Table(title, [Column(header), *(Column(name, "number") for name in columns)], cells)


def _list(console: Console, title: str, sentences: list[str]) -> None:
    if not sentences:
        return
    console.print(f"{title}:")
    for sentence in sentences[:SHOWN]:
        console.print(f"  {sentence}", soft_wrap=True)
    if len(sentences) > SHOWN:
        console.print(f"  ... and {len(sentences) - SHOWN:,} more in {REPORT}")
