"""Numbers in parsed values: finite, and no longer than 64 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bsft.records.errors import BadInput

_LIMIT = 1 << 63


def check_numbers(value: object, where: str) -> None:
    """
    Args:
        value: nested containers, which end.
        where: what an error begins with.

    Raises:
        BadInput: NaN, infinity, or an integer that 64 bits cannot hold; names the field.
    """
    stack: list[tuple[tuple[Any, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, float):
            if not math.isfinite(found):
                raise BadInput(f"{where}: {_field(path)}found {found}, allowed: a finite number")
        elif isinstance(found, int):
            if not -_LIMIT <= found < _LIMIT:
                raise BadInput(f"{where}: {_field(path)}found an integer of {found.bit_length():,} bits, allowed: 64")
        elif isinstance(found, dict | list):
            stack.extend(((*path, key), child) for key, child in _children(found))


def _children(found: dict[Any, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    """Members that may have to be looked at: most are texts."""
    members = found.items() if isinstance(found, dict) else enumerate(found)
    return ((key, child) for key, child in members if not isinstance(child, str))


def _field(path: tuple[Any, ...]) -> str:
    name = ".".join(map(str, path))
    return f"field {name if len(name) <= 60 else name[:57] + '...'}: " if path else ""
