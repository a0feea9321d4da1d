"""Cases in our own form: JSONL whose lines are `bsft.bench.records.Case`; read with checks, written in order."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from bsft.bench.importers.report import ImportReport
from bsft.bench.records import Case, Fact
from bsft.bench.store import BadInput, explain

CASES_FILE = "cases.jsonl"


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) of a text file, without blank lines; the last line needs no newline.

    Raises:
        BadInput: the file is missing, empty or not UTF-8.
    """
    empty = True
    try:
        with file.open("rb") as stream:
            for line, raw in enumerate(stream, start=1):
                try:
                    text = raw.decode("utf-8-sig" if line == 1 else "utf-8").strip()
                except UnicodeDecodeError as error:
                    byte = raw[error.start]
                    raise BadInput(
                        f"{file}: line {line}: byte {error.start + 1} is 0x{byte:02x}, which is not UTF-8"
                    ) from None
                if text:
                    empty = False
                    yield line, text
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file") from None
    if empty:
        raise BadInput(f"{file}: the file is empty")


def json_lines(file: Path) -> Iterator[tuple[int, object]]:
    """(line number, JSON value) of a JSONL file.

    Raises:
        BadInput: as `lines`, or a line is not JSON.
    """
    for line, text in lines(file):
        try:
            yield line, json.loads(text)
        except json.JSONDecodeError as error:
            raise BadInput(f"{file}: line {line}: not valid JSON: {error.msg} at column {error.colno}") from None


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
    for line, text in lines(source):
        report.read += 1
        try:
            case = _case(f"{source}: line {line}", text)
            if (earlier := line_of.setdefault(case.id, line)) != line:
                raise BadInput(
                    f"{source}: line {line}: field id: found {case.id!r}, which line {earlier} has; allowed: unique ids"
                )
        except BadInput as error:
            if not drop_invalid:
                raise
            report.dropped.append(str(error))
            continue
        yield case


def _case(place: str, text: str) -> Case:
    try:
        case = Case.model_validate_json(text)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise BadInput(f"{place}: not valid JSON: {error.errors()[0]['msg']}") from None
        raise BadInput(f"{place}: {explain(error)}") from None
    for index, fact in enumerate(case.facts):
        if problem := _problem(fact):
            raise BadInput(f"{place}: field facts.{index}.{problem}")
    for index, event in enumerate(case.events):
        if not math.isfinite(event.time_hours):
            raise BadInput(f"{place}: field events.{index}.time_hours: found {event.time_hours}, allowed: a number")
    return case


def _problem(fact: Fact) -> str | None:
    """What types alone cannot say about a fact."""
    for name in ("value", "reference_low", "reference_high", "time_hours"):
        found = getattr(fact, name)
        if isinstance(found, float) and not math.isfinite(found):
            return f"{name}: found {found}, allowed: a number"
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
