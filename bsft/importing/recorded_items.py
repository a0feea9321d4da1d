"""A benchmark from cases, whoever wrote them: only tasks whose truth is certain from the record."""

from __future__ import annotations

import json
from pathlib import Path

from bsft.bench.left_out import Reasons
from bsft.bench.recorded.make import make_items, specs_of
from bsft.importing.cases import CASES_FILE, read_cases
from bsft.importing.plan import Shares, plan
from bsft.importing.report import ImportReport
from bsft.importing.writing import fresh_directory
from bsft.records.errors import BadInput
from bsft.records.schema import Manifest
from bsft.records.store import check_replaceable, write_benchmark
from bsft.records.store.writing import ITEMS_REPORT

VERSION = "caseitems-1"
"""Changes when the same cases would give other items."""


def make_benchmark(source: Path, output: Path, *, name: str, shares: Shares, seed: int) -> tuple[Manifest, Reasons]:
    """Reads cases, makes their items and writes them with the report.

    Args:
        source: a file of cases, or a directory that holds one.
        output: the benchmark's directory.
        name: of the benchmark.
        shares: parts of the cases for the splits.
        seed: decides every random choice.

    Raises:
        BadInput: the cases cannot be read, no item can be made of them, or the output holds something else.
    """
    check_replaceable(output, source=source)
    file = source / CASES_FILE if source.is_dir() else source
    report = ImportReport("items", str(source))
    cases = list(read_cases(file, report))
    items, reasons = make_items(plan(cases, shares, seed), seed)
    if not items:
        first = next(iter(next(iter(reasons.counts.values()))))
        raise BadInput(f"{file}: no item could be made of its {len(cases)} cases: {first}")
    licence = ", ".join(sorted({case.licence for case in cases}))
    note = f"Made from {len(cases)} cases of {file.name}, SHA-256 {report.sha256[file.name]}."
    with fresh_directory(output, source) as directory:
        manifest = write_benchmark(
            directory, items, specs_of(items), name=name, version=VERSION, seed=seed, licence=licence,
            notes=[note],
        )  # fmt: skip
        text = json.dumps({"cases": len(cases), "sha256": report.sha256, "left_out": reasons.counts}, indent=2)
        (directory / ITEMS_REPORT).write_text(text + "\n", encoding="utf-8")
    return manifest, reasons
