"""Outputs that are frozen in `tests/golden/`: `pytest --update-golden` writes them, every other run compares."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).with_name("golden")


def differences(
    found: Any, expected: Any, tolerances: dict[str, float], *, path: str = "", tolerance: float = 1e-6
) -> list[str]:
    """Where two JSON values differ.

    Args:
        tolerances: name of a field -> the relative tolerance of the numbers below it.
        tolerance: of all other numbers, relative where they are larger than 1, else absolute.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        if list(found) != list(expected):
            return [f"{path}: keys {list(found)}, expected {list(expected)}"]
        return [
            line
            for key, value in expected.items()
            for line in differences(
                found[key], value, tolerances, path=f"{path}/{key}", tolerance=tolerances.get(key, tolerance)
            )
        ]
    if isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            return [f"{path}: {len(found)} entries, expected {len(expected)}"]
        return [
            line
            for i, (one, other) in enumerate(zip(found, expected, strict=True))
            for line in differences(one, other, tolerances, path=f"{path}/{i}", tolerance=tolerance)
        ]
    if type(found) is not type(expected):
        return [f"{path}: {found!r}, expected {expected!r}"]
    same = (
        math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
        if isinstance(expected, float)
        else found == expected
    )
    return [] if same else [f"{path}: {found!r}, expected {expected!r}"]


def check(name: str, found: Any, update: bool, *, tolerances: dict[str, float], tolerance: float = 1e-6) -> None:
    """Holds JSON-like output against `golden/<name>.json`, or writes that file."""
    file = DIRECTORY / f"{name}.json"
    if update:
        file.write_text(_written(found), encoding="utf-8")
    expected = json.loads(file.read_text(encoding="utf-8"))
    found = json.loads(json.dumps(found))
    assert differences(found, expected, tolerances, tolerance=tolerance) == []


def check_text(name: str, found: str, update: bool) -> None:
    """Holds text against `golden/<name>`, or writes that file."""
    file = DIRECTORY / name
    if update:
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


def _written(value: Any) -> str:
    """JSON with a line for each entry of each of its lists and mappings: short, and its diffs can be read."""

    def lines(entry: Any) -> str:
        if isinstance(entry, list) and entry:
            return "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in entry) + "\n]"
        return json.dumps(entry, ensure_ascii=False)

    if isinstance(value, list):
        return lines(value) + "\n"
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {lines(entry)}" for key, entry in value.items()) + "\n}\n"
