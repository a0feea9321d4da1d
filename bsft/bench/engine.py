"""The engine: the files of this package that decide which items the open benchmark has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parent
NOT_ENGINE = frozenset({
    "arguments.py", "audit", "build_command.py", "cli.py", "importers", "plots", "source.py", "store", "writer",
})  # fmt: skip
"""What reads, checks, draws or dispatches. Everything else counts, so that a file that is new is never forgotten."""


def engine_files() -> Iterator[Path]:
    """Code, case bank and wordings, in a fixed order."""
    for file in sorted(_ROOT.rglob("*")):
        if file.suffix in (".py", ".yaml") and file.relative_to(_ROOT).parts[0] not in NOT_ENGINE:
            yield file


@cache
def engine_sha256() -> str:
    """Fingerprint of the engine's files: names and bytes."""
    digest = hashlib.sha256()
    for file in engine_files():
        content = file.read_bytes()
        digest.update(f"{file.relative_to(_ROOT).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
