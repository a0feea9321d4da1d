"""What an importer found, written with its report: cases or a benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bsft.importing import ImportedBenchmark
from bsft.importing.cases import CASES_FILE, write_cases
from bsft.importing.mederrbench import IMPORTER_VERSION
from bsft.importing.report import ImportReport, fresh_directory
from bsft.records.errors import BadInput
from bsft.records.schema import Case
from bsft.records.store import write_benchmark


def write_imported_cases(cases: Iterable[Case], output: Path, report: ImportReport) -> None:
    """Writes cases as they come.

    Raises:
        BadInput: a case is wrong, all were dropped, or the output holds something else.
    """
    with fresh_directory(output, Path(report.source)) as directory:
        report.written[CASES_FILE] = write_cases(directory, cases)
        _refuse_nothing(report)
        report.write(directory)


def write_imported_benchmark(
    imported: ImportedBenchmark, output: Path, report: ImportReport, *, name: str, licence: str, seed: int = 0,
    version: str = IMPORTER_VERSION,
) -> None:  # fmt: skip
    """Writes a benchmark; what its notes say and the report does not yet counts as repaired.

    Raises:
        BadInput: all was dropped, or the output holds something else.
    """
    report.written = {f"{split}.jsonl": len(found) for split, found in imported.items.items()}
    _refuse_nothing(report)
    report.dropped += [note for note in imported.dropped if note not in report.dropped]
    known = {*report.dropped, *report.noticed}
    report.repaired = [note for note in imported.notes if note not in known]
    with fresh_directory(output, Path(report.source)) as directory:
        write_benchmark(
            directory, imported.items, imported.tasks, name=name, version=version, seed=seed, licence=licence,
            notes=imported.notes,
        )  # fmt: skip
        report.write(directory)


def _refuse_nothing(report: ImportReport) -> None:
    if not any(report.written.values()):
        raise BadInput(f"{report.source}: all of {report.read} lines were dropped; the first: {report.dropped[0]}")
