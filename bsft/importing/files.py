"""What importers read and write: JSONL, cases in our own form, and what was made, with its report, whole or not at all.

Cases in our own form are lines of `bsft.records.schema.Case`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bsft.importing.near_duplicates import near_duplicates
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explained
from bsft.records.files import replacing_directory
from bsft.records.schema import Case, Item, Record, TaskSpec
from bsft.records.store import check_replaceable, write_benchmark
from bsft.records.untrusted import parse_json, read_lines

CASES_FILE = "cases.jsonl"
RecordT = TypeVar("RecordT")


def json_lines(
    file: Path,
    report: ImportReport,
    read: Callable[[str, int, Any], RecordT],
    *,
    drop_invalid: bool = False,
) -> Iterator[RecordT]:
    """What `read` makes of each line of a JSONL file.

    Args:
        report: takes the file's hash, how many lines were read, and those that were dropped.
        read: takes what an error begins with, the line's number and its JSON value; raises `BadInput`.
        drop_invalid: leave out lines that are not JSON or that `read` refuses, instead of refusing the file.

    Raises:
        BadInput: the file cannot be read or is empty, or a line is wrong.
    """
    report.add_source(file)
    read_before = report.read
    for line, _, raw in read_lines(file):
        report.read += 1
        place = f"{file}: line {line}"
        try:
            record = read(place, line, parse_json(raw, place))
        except BadInput as error:
            if not drop_invalid:
                raise
            report.dropped.append(str(error))
            continue
        yield record
    if report.read == read_before:
        raise BadInput(f"{file}: the file is empty")


def check_new(found: str, seen: dict[str, str], place: str, field: str) -> None:
    """
    Args:
        found: an id.
        seen: earlier id -> its place; takes this one.
        place: file and line, what an error begins with.

    Raises:
        BadInput: the id was seen before.
    """
    if found in seen:
        raise BadInput(f"{place}: field {field}: found {found!r}, which {seen[found]} has; allowed: unique ids")
    seen[found] = place


def read_cases(source: Path, report: ImportReport, *, drop_invalid: bool = False) -> Iterator[Case]:
    """Reads and checks cases, see `json_lines`.

    Raises:
        BadInput: the file cannot be read, or a line is not a valid case; the message names line, field, what was found
            and what is allowed.
    """
    seen: dict[str, str] = {}

    def read(place: str, line: int, found: object) -> Case:
        with explained(place):
            case = Case.model_validate(found)
        for index, fact in enumerate(case.facts):
            low, high = fact.reference_low, fact.reference_high
            if low is not None and high is not None and low > high:
                allowed = f"at most reference_high, which is {high:g}"
                raise BadInput(f"{place}: field facts.{index}.reference_low: found {low:g}, allowed: {allowed}")
        check_new(case.id, seen, place, "id")
        return case

    yield from json_lines(source, report, read, drop_invalid=drop_invalid)


def near_duplicate_cases(cases: Sequence[Case]) -> Iterator[tuple[int, int, float]]:
    """Pairs of cases that retell each other, as `near_duplicates` gives them.

    What the patient told is compared: results are worded alike in unrelated cases.
    """
    return near_duplicates(
        [" ".join(fact.text for fact in case.facts if fact.kind in ("history", "symptom")) for case in cases]
    )


def write_records(file: Path, records: Iterable[Record]) -> int:
    """Writes one record a line, and returns their number."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        return sum(1 for record in records if stream.write(record.model_dump_json(exclude_defaults=True) + "\n"))


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
