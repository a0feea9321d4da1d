"""JSON that nobody vouches for. Parsed by jiter, which sees repeated keys, NaN, lone surrogates and deep nesting."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import jiter
from pydantic import TypeAdapter

from bsft.records.errors import BadInput, explained
from bsft.records.untrusted.files import MAX_DOCUMENT_BYTES, decoded, read_bytes
from bsft.records.untrusted.numbers import check_numbers

RecordT = TypeVar("RecordT")

_PLACE = re.compile(r" at line (?P<line>\d+) column (?P<column>\d+)$")
_REASONS = {
    "recursion limit exceeded": "nested more than 200 deep",
    "number out of range": "a number of more than 4,300 digits",
    "unexpected end of hex escape": "half a surrogate pair, which is no character",
    "lone leading surrogate in hex escape": "half a surrogate pair, which is no character",
}
"""What jiter says -> what that means for somebody who looks at the file."""


def parse_json(raw: bytes, where: str) -> Any:
    """A JSON value.

    Args:
        where: what an error begins with: the file, and the line where there are several.

    Raises:
        BadInput: not UTF-8, not JSON, a repeated key, NaN or infinity, half a surrogate pair, nested more than 200
            deep, or a number that 64 bits cannot hold.
    """
    value = _parsed(raw, where)
    check_numbers(value, where)
    return value


def read_json(file: Path, max_bytes: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        Missing: there is no such file.
        BadInput: it cannot be read, or what `parse_json` refuses, or no object.
    """
    value = parse_json(read_bytes(file, max_bytes), str(file))
    if not isinstance(value, dict):
        raise BadInput(f"{file}: found {_json_name(value)}, allowed: a JSON object")
    return value


def parse_record(kind: type[RecordT], raw: bytes, where: str) -> RecordT:
    """A record of pydantic's, or a dataclass, from a JSON object. Its fields decide which numbers are allowed: its
    configuration has to say `allow_inf_nan=False`.

    Raises:
        BadInput: as `parse_json`, or a field is wrong: the message names it, what was found and what is allowed.
    """
    with explained(where):
        record: RecordT = _adapter(cast(Any, kind)).validate_python(_parsed(raw, where))
    return record


def read_record(kind: type[RecordT], file: Path) -> RecordT:
    """The record that a file holds.

    Raises:
        Missing: there is no such file.
        BadInput: it cannot be read, or as `parse_record`.
    """
    return parse_record(kind, read_bytes(file), str(file))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _parsed(raw: bytes, where: str) -> Any:
    try:
        return jiter.from_json(raw, catch_duplicate_keys=True)
    except ValueError as error:
        decoded(raw, where)
        is_line = raw.find(b"\n", 0, -1) < 0
        raise BadInput(f"{where}: {_reason(str(error), is_line=is_line)}") from None


def _reason(message: str, *, is_line: bool) -> str:
    """What jiter complains of; within a line, only the column tells where."""
    place = _PLACE.search(message)
    said = message[: place.start()] if place else message
    at = "" if place is None else f" at column {place['column']}" if is_line else f" at {place[0].removeprefix(' at ')}"
    if said.startswith("Detected duplicate key "):
        key = said.removeprefix("Detected duplicate key ")
        return f"repeated key {key if len(key) <= 60 else key[:57] + '...'}{at}, allowed: each key once"
    return f"not valid JSON: {_REASONS.get(said, said)}{at}"


def _json_name(value: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
