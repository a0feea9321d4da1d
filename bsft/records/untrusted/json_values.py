"""JSON that nobody vouches for. Parsed by jiter, which sees repeated keys, NaN, lone surrogates and deep nesting.

Numbers of any parsed value are finite, and integers have at most 64 bits.
"""

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import jiter
from pydantic import TypeAdapter

from bsft.records.errors import BadInput, explained, shortened
from bsft.records.untrusted.files import MAX_DOCUMENT_BYTES, decoded, read_bytes

RecordT = TypeVar("RecordT")
_INTEGER_LIMIT = 1 << 63
_ADAPTER: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)

_PLACE = re.compile(r" at line (?P<line>\d+) column (?P<column>\d+)$")
_REASONS = {
    "recursion limit exceeded": "nested more than 200 deep",
    "number out of range": "a number of more than 4,300 digits",
    "unexpected end of hex escape": "half a surrogate pair, which is no character",
    "lone leading surrogate in hex escape": "half a surrogate pair, which is no character",
}
"""What jiter says -> what that means for somebody who looks at the file."""


def parse_json(raw: bytes, where: str) -> Any:
    """A JSON value; an error begins with `where`: the file, and the line where there are several.

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
        record: RecordT = _ADAPTER(kind).validate_python(_parsed(raw, where))
    return record


def read_record(kind: type[RecordT], file: Path) -> RecordT:
    """The record that a file holds.

    Raises:
        BadInput: it cannot be read, or as `parse_record`.
    """
    return parse_record(kind, read_bytes(file), str(file))


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
    at = "" if place is None else f" at column {place['column']}" if is_line else place[0]
    if (key := said.removeprefix("Detected duplicate key ")) != said:
        return f"repeated key {shortened(key)}{at}, allowed: each key once"
    return f"not valid JSON: {_REASONS.get(said, said)}{at}"


def _json_name(value: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def check_numbers(value: object, where: str) -> None:
    """Raises `BadInput`, which begins with `where` and names the field, for NaN, infinity, or an integer that 64 bits
    cannot hold, in nested containers, which end."""
    stack: list[tuple[tuple[Any, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, float):
            if not math.isfinite(found):
                raise BadInput(f"{where}: {_field(path)}found {found}, allowed: a finite number")
        elif isinstance(found, int):
            if not -_INTEGER_LIMIT <= found < _INTEGER_LIMIT:
                raise BadInput(f"{where}: {_field(path)}found an integer of {found.bit_length():,} bits, allowed: 64")
        elif isinstance(found, dict | list):
            members = found.items() if isinstance(found, dict) else enumerate(found)
            # most members are texts
            stack.extend(((*path, key), child) for key, child in members if not isinstance(child, str))


def _field(path: tuple[Any, ...]) -> str:
    return f"field {shortened('.'.join(map(str, path)))}: " if path else ""
