"""JSONL files of items, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.untrusted import parse_record, read_lines


class Line(NamedTuple):
    """An item and where it stands: its line, counted from 1, and the first byte of it."""

    number: int
    offset: int
    item: Item


def read_items(path: Path) -> Iterator[Line]:
    """All items of a JSONL file; blank lines are passed over.

    Raises:
        BadInput: the file is missing, empty or not a regular file, or a line is not a valid item.
    """
    empty = True
    for number, offset, raw in read_lines(path):
        empty = False
        yield Line(number, offset, parse_item(raw, f"{path}: line {number}"))
    if empty:
        raise BadInput(f"{path}: the file has no items")


def parse_item(raw: bytes, where: str) -> Item:
    """The item of a line.

    Args:
        where: what an error begins with.

    Raises:
        BadInput: the line is not UTF-8, not JSON or not a valid item.
    """
    return parse_record(Item, raw, where)
