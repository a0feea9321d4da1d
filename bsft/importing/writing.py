"""What an importer found, written with its report: cases or a benchmark, complete or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bsft.importing.cases import CASES_FILE, write_records
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput
from bsft.records.files import replacing_directory
from bsft.records.schema import Case, Item, TaskSpec
from bsft.records.store import check_replaceable, write_benchmark


@dataclass(frozen=True)
class ImportedBenchmark:
    """Items by split, the tasks they belong to, and what was read, repaired, noticed and dropped."""

    items: dict[str, list[Item]]
    tasks: list[TaskSpec]
    report: ImportReport

    @property
    def notes(self) -> list[str]:
        """What the benchmark's manifest says of the import."""
        return [*self.report.repaired, *self.report.noticed, *self.report.dropped]

    def write(self, output: Path, *, name: str, licence: str, version: str, seed: int = 0) -> None:
        """
        Raises:
            BadInput: all was dropped, or the output holds something else.
        """
        self.report.written = {f"{split}.jsonl": len(found) for split, found in self.items.items()}
        with reported_output(output, self.report) as directory:
            write_benchmark(
                directory, self.items, self.tasks, name=name, version=version, seed=seed, licence=licence,
                notes=self.notes,
            )  # fmt: skip


def write_cases(cases: Iterable[Case], output: Path, report: ImportReport) -> None:
    """Writes cases as they come.

    Raises:
        BadInput: a case is wrong, all were dropped, or the output holds something else.
    """
    with reported_output(output, report) as directory:
        report.written[CASES_FILE] = write_records(directory / CASES_FILE, cases)


@contextmanager
def reported_output(output: Path, report: ImportReport) -> Iterator[Path]:
    """`fresh_directory` with the report, which has to say by the end what was written.

    Raises:
        BadInput: nothing was written, as all was dropped; or as `fresh_directory`.
    """
    with fresh_directory(output, Path(report.source)) as directory:
        yield directory
        if not any(report.written.values()):
            raise BadInput(
                f"{report.source}: all of {report.read} records were dropped; the first: {report.dropped[0]}"
            )
        report.write(directory)


@contextmanager
def fresh_directory(output: Path, source: Path) -> Iterator[Path]:
    """Yields a directory that takes the place of `output` when the block ends well, and vanishes when it does not.

    Args:
        source: what the output is made from.

    Raises:
        BadInput: `output` holds something else than an earlier output, or cannot be written to.
    """
    try:
        with replacing_directory(output, partial(check_replaceable, source=source)) as scratch:
            yield scratch
    except OSError as error:
        raise BadInput(f"{output}: could not be written: {error.strerror or error}") from error
