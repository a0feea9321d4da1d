"""`bsft-bench items`: items from imported cases, from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING
from rich.table import Table

from bsft.bench.left_out import Reasons
from bsft.bench.recorded.make import make_items, specs_of
from bsft.commands.arguments import parse
from bsft.commands.build import show
from bsft.display.console import SafeConsole
from bsft.importing.cases import CASES_FILE, read_cases
from bsft.importing.plan import Shares, plan
from bsft.importing.report import ImportReport, fresh_directory
from bsft.records.errors import BadInput
from bsft.records.paths import user_path
from bsft.records.schema import Case, Manifest
from bsft.records.store import check_replaceable, write_benchmark
from bsft.records.store.ownership import ITEMS_REPORT as REPORT

VERSION = "caseitems-1"
"""Changes when the same cases would give other items."""

USAGE = f"""usage: bsft-bench items CASES output=DIR [key=value ...]

Makes a benchmark from cases, whoever wrote them: only tasks whose truth is certain from the record.
CASES is a file of cases (JSONL) or a directory that bsft-bench import wrote.

keys:
  output=DIR        where the benchmark is written, with {REPORT}
  name=cases        of the benchmark
  train=0.7         part of the cases for training; cases of one diagnosis stay together
  val=0.1           part for validation; test gets the rest
  seed=0            decides every random choice

See docs/importing.md.
"""


@dataclass
class ItemsOptions:
    """Options of `bsft-bench items`."""

    output: Path = MISSING
    name: str = "cases"
    train: float = 0.7
    val: float = 0.1
    seed: int = 0


def make_benchmark(source: Path, options: ItemsOptions) -> tuple[Manifest, Reasons]:
    """Reads cases, makes their items and writes them with the report.

    Raises:
        BadInput: the cases cannot be read, no item can be made of them, or the output holds something else.
    """
    check_replaceable(Path(options.output), source=source)
    file = source / CASES_FILE if source.is_dir() else source
    report = ImportReport("items", str(source))
    cases = list(read_cases(file, report))
    items, reasons = make_items(plan(cases, Shares(options.train, options.val), options.seed), options.seed)
    if not items:
        raise BadInput(f"{file}: no item could be made of its {len(cases)} cases: {_first(reasons)}")
    note = f"Made from {len(cases)} cases of {file.name}, SHA-256 {report.sha256[file.name]}."
    with fresh_directory(options.output, source) as directory:
        manifest = write_benchmark(
            directory, items, specs_of(items), name=options.name, version=VERSION, seed=options.seed,
            licence=_licence(cases), notes=[note],
        )  # fmt: skip
        text = json.dumps({"cases": len(cases), "sha256": report.sha256, "left_out": reasons.counts}, indent=2)
        (directory / REPORT).write_text(text + "\n", encoding="utf-8")
    return manifest, reasons


def _licence(cases: Sequence[Case]) -> str:
    return ", ".join(sorted({case.licence for case in cases}))


def _first(reasons: Reasons) -> str:
    return next(iter(next(iter(reasons.counts.values()))))


def _reason_table(reasons: Reasons) -> Table:
    table = Table("task and label", "why left out", title="left out")
    table.add_column("cases", justify="right")
    for what, counts in reasons.counts.items():
        for reason, count in sorted(counts.items(), key=lambda pair: -pair[1]):
            table.add_row(what, reason, f"{count:,}")
    return table


def run(arguments: Sequence[str]) -> int:
    """Runs `bsft-bench items`.

    Args:
        arguments: what follows `items`: the cases, `key=value` pairs.

    Returns:
        The exit status, 0: a benchmark was written.

    Raises:
        BadInput: an argument or the cases are wrong.
    """
    if "=" in arguments[0]:
        raise BadInput("no cases; give bsft-bench items CASES output=DIR")
    options = parse(ItemsOptions, arguments[1:], "bsft-bench items")
    manifest, reasons = make_benchmark(user_path(arguments[0]), options)
    console = SafeConsole()
    show(manifest, options.output, console)
    console.print(_reason_table(reasons))
    return 0
