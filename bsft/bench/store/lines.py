"""JSONL files of items, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from bsft.bench.records import Item
from bsft.records.errors import BadInput, explain


class Line(NamedTuple):
    """An item and where it stands: its line, counted from 1, and the first byte of it."""

    number: int
    offset: int
    item: Item


def read_items(path: Path) -> Iterator[Line]:
    """All items of a JSONL file; blank lines are passed over.

    Raises:
        BadInput: the file is missing, empty, not UTF-8, or a line is not a valid item.
    """
    empty = True
    offset = 0
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                if raw.strip():
                    empty = False
                    yield Line(number, offset, parse_item(raw, f"{path}: line {number}"))
                offset += len(raw)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    if empty:
        raise BadInput(f"{path}: the file has no items")


def parse_item(raw: bytes, where: str) -> Item:
    """The item of a line.

    Args:
        where: what an error begins with.

    Raises:
        BadInput: the line is not UTF-8, not JSON or not a valid item.
    """
    try:
        return Item.model_validate_json(raw)
    except ValidationError as error:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as bad:
            raise BadInput(f"{where}: byte {bad.start + 1} is 0x{raw[bad.start]:02x}, which is not UTF-8") from None
        if error.errors()[0]["type"] == "json_invalid":
            raise BadInput(f"{where}: not valid JSON: {error.errors()[0]['msg']}") from None
        raise BadInput(f"{where}: {explain(error)}") from None
