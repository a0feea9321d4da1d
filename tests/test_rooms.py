"""The rooms of the house: who may know whom, and how much of the house each one is."""

from __future__ import annotations

import ast
import importlib.util
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import bsft

ROOT = Path(bsft.__file__).parent
ROOMS = (
    "records", "stats", "display", "config", "bench", "importing", "audit", "data", "model", "runs", "scoring",
    "training", "report", "show", "launch", "commands",
)  # fmt: skip
"""From left to right: a room imports from its left only."""
MODULES = {".".join(["bsft", *file.relative_to(ROOT).with_suffix("").parts]): file for file in ROOT.glob("*/**/*.py")}


def room_of(module: str) -> str | None:
    """The room of a module; None for the entry points, which are above all rooms."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def imports_of(file: Path, module: str) -> Iterator[tuple[int, str]]:
    """Every bsft module that a file imports anywhere, with its line."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in found if name.split(".")[0] == "bsft")


def test_every_directory_is_a_room_that_says_what_it_is_for() -> None:
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ROOMS)
    for room in ROOMS:
        text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))) or ""
        assert "nows no" in text, f"{room} does not say what it must not know"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_its_left_only(room: str) -> None:
    allowed = {None, *ROOMS[: ROOMS.index(room) + 1]}
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for module, file in MODULES.items()
        if room_of(module) == room
        for line, name in imports_of(file, module)
        if room_of(name) not in allowed or (room_of(name) is None and name != "bsft.__version__")
    ]
    assert wrong == []


def test_no_room_is_more_than_three_tenths_of_the_house() -> None:
    lines: Counter[str] = Counter()
    for module, file in MODULES.items():
        lines[str(room_of(module))] += len(file.read_text(encoding="utf-8").splitlines())
    room, largest = lines.most_common(1)[0]
    assert largest <= 0.3 * lines.total(), f"{room}: {largest} of {lines.total()} lines"
