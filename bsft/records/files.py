"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.escaping import json_text


def write_json(file: Path, value: Mapping[str, Any], *, durable: bool = True) -> None:
    write_atomically(file, json_text(value) + "\n", durable=durable)


def write_atomically(file: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Writes beside the target, then renames; a full disk or a kill leaves the old file as it was.

    Args:
        durable: as in `replacing`.

    Raises:
        BadInput: the place cannot be written to.
    """
    try:
        with replacing(file, durable=durable) as scratch:
            scratch.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise BadInput(f"{file}: could not be written: {error.strerror or error}") from error


@contextmanager
def replacing(file: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a path beside `file` to write to; what was written takes the place of `file` when the block ends well.

    Args:
        durable: it is on the disk before it takes that place, so that a power cut leaves the old file or the new one.
            Without it only a kill does; for what is soon written again.

    Raises:
        OSError: the place cannot be written to.
    """
    scratch = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_native_id()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield scratch
        if durable:
            to_disk(scratch)
        scratch.replace(file)
        if durable:
            to_disk(file.parent)
    finally:
        with contextlib.suppress(OSError):  # whatever went wrong with it has been raised before
            scratch.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Waits until a file's content, or a directory's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
