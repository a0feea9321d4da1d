"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.escaping import json_text


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    write_atomically(file, json_text(value) + "\n")


def write_atomically(file: Path, text: str) -> None:
    """Writes beside the target, then renames; a full disk or a kill leaves the old file as it was.

    Raises:
        BadInput: the place cannot be written to.
    """
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise BadInput(f"{file}: could not be written: {error.strerror}") from error
