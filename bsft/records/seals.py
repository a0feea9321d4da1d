"""Seals: what files were when they were complete, so that a damaged one is noticed later without reading them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.untrusted import file_sha256


def seal(directory: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """File name -> size in bytes, time of change and SHA-256, as JSON can hold them.

    Raises:
        OSError, BadInput: a file cannot be read.
    """
    return {name: _seal(directory / name) for name in names}


def flaw(directory: Path, sealed: object) -> str | None:
    """The first file that is not what it was when it was sealed, and why; None when all are.

    A file of the same size and time of change is believed; others are read.

    Args:
        sealed: what `seal` gave, after JSON; anything else is a flaw too.
    """
    if not isinstance(sealed, Mapping) or not sealed:
        return f"{directory}: nothing says what its files should be"
    for name, expected in sealed.items():
        file = directory / name
        if not file.is_file():
            return f"{file}: no such file"
        if not isinstance(expected, Mapping):
            return f"{directory}: nothing says what {name} should be"
        try:
            found = file.stat()
            if found.st_size == expected.get("size_bytes") and (
                found.st_mtime_ns == expected.get("mtime_ns") or file_sha256(file) == expected.get("sha256")
            ):
                continue
        except BadInput as error:
            return str(error)
        except OSError as error:
            return f"{file}: {error.strerror}"
        return f"{file}: damaged (not what was written)"
    return None


def _seal(file: Path) -> dict[str, Any]:
    found = file.stat()
    return {"size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": file_sha256(file)}
