"""The engine: the files of this package that decide which items the open benchmark has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
NOT_ENGINE = frozenset({
    "arguments.py", "audit", "build_command.py", "cli.py", "importers", "plots", "source.py", "store", "writer",
})  # fmt: skip
"""What reads, checks, draws or dispatches. Everything else counts, so that a file that is new is never forgotten."""


def engine_files(root: Path = ROOT) -> Iterator[Path]:
    """Code, case bank and wordings, in a fixed order."""
    for file in sorted(root.rglob("*")):
        if file.suffix in (".py", ".yaml") and file.relative_to(root).parts[0] not in NOT_ENGINE:
            yield file


def sha256_of(root: Path = ROOT) -> str:
    """Fingerprint of the engine's files: their names and bytes."""
    digest = hashlib.sha256()
    for file in engine_files(root):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
