"""Cases in our own form: JSONL whose lines are `bsft.records.schema.Case`; read with checks, written in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explain
from bsft.records.schema import Case, Fact
from bsft.records.untrusted import parse_json, read_lines

CASES_FILE = "cases.jsonl"


def json_lines(file: Path, report: ImportReport, *, drop_invalid: bool = False) -> Iterator[tuple[str, int, Any]]:
    """(what an error begins with, line number, JSON value) of a JSONL file.

    Args:
        file: the file.
        report: takes how many lines were read, and those that were dropped.
        drop_invalid: leave out lines that are not JSON, instead of refusing the file.

    Raises:
        BadInput: the file cannot be read or is empty, or a line is not JSON.
    """
    read_before = report.read
    for line, _, raw in read_lines(file):
        report.read += 1
        place = f"{file}: line {line}"
        try:
            value = parse_json(raw, place)
        except BadInput as error:
            if not drop_invalid:
                raise
            report.dropped.append(str(error))
            continue
        yield place, line, value
    if report.read == read_before:
        raise BadInput(f"{file}: the file is empty")


def read_cases(source: Path, report: ImportReport, *, drop_invalid: bool = False) -> Iterator[Case]:
    """Reads and checks cases.

    Args:
        source: a JSONL file of cases.
        report: takes counts and what was dropped.
        drop_invalid: leave out lines that are no valid case, instead of refusing the file.

    Raises:
        BadInput: the file cannot be read, or a line is not a valid case; the message names line, field, what was found
            and what is allowed.
    """
    report.add_source(source)
    line_of: dict[str, int] = {}
    for place, line, found in json_lines(source, report, drop_invalid=drop_invalid):
        try:
            case = _case(place, found)
            if (earlier := line_of.get(case.id)) is not None:
                raise BadInput(f"{place}: field id: found {case.id!r}, which line {earlier} has; allowed: unique ids")
        except BadInput as error:
            if not drop_invalid:
                raise
            report.dropped.append(str(error))
            continue
        line_of[case.id] = line
        yield case


def _case(place: str, found: object) -> Case:
    try:
        case = Case.model_validate(found)
    except ValidationError as error:
        raise BadInput(f"{place}: {explain(error)}") from None
    for index, fact in enumerate(case.facts):
        if problem := _problem(fact):
            raise BadInput(f"{place}: field facts.{index}.{problem}")
    return case


def _problem(fact: Fact) -> str | None:
    """What types alone cannot say about a fact."""
    low, high = fact.reference_low, fact.reference_high
    if low is not None and high is not None and low > high:
        return f"reference_low: found {low:g}, allowed: at most reference_high, which is {high:g}"
    return None


def write_cases(directory: Path, cases: Iterable[Case]) -> int:
    """Writes `cases.jsonl` and returns the number of cases."""
    count = 0
    with (directory / CASES_FILE).open("w", encoding="utf-8", newline="\n") as stream:
        for case in cases:
            stream.write(case.model_dump_json(exclude_defaults=True) + "\n")
            count += 1
    return count
