"""SHA-256 of files, each read once per version of its content, however many jobs, commands and processes ask."""

import contextlib
import hashlib
import os
import re
import stat
import time
from functools import cache
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.files import write_atomically
from bsft.records.paths import cache_dir
from bsft.records.untrusted import file_sha256

MIN_KEPT_BYTES = 1 << 20
"""Smaller files are read again by the next process, as fast as a note about them would be."""
SETTLED_S = 2.0
"""A file that was changed less long ago may change again within the same tick of the file system's clock."""


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content.

    Kept in the cache under the file's path, size, inode and times of change. The change of the inode is one of these
    times, which no program can set back: an edit that restores the modification time is seen too.

    Raises:
        BadInput: no such file, not a regular one, or not readable.
    """
    path = os.path.abspath(file)  # noqa: PTH100  (resolve() asks after every folder on the way)
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return file_sha256(file)  # which says what is wrong
    settled = not 0 <= time.time_ns() - found.st_ctime_ns < SETTLED_S * 1e9
    if not settled or not stat.S_ISREG(found.st_mode):
        return file_sha256(file)
    return _known(path, found.st_size, f"{found.st_size} {found.st_ino} {found.st_mtime_ns} {found.st_ctime_ns}")


def digest(*parts: str) -> str:
    """One SHA-256 of several texts, none of which contains a line break."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _known(path: str, size_bytes: int, version: str) -> str:
    """By `version`, which is another one after any change."""
    if size_bytes < MIN_KEPT_BYTES:
        return file_sha256(Path(path))
    note = cache_dir() / "hashes" / digest(path)[:32]
    if (kept := noted(note, f"{version} ([0-9a-f]{{64}})\n")) is not None:
        return kept
    found = file_sha256(Path(path))
    # a cache that is full or read-only costs the next command the time to read the file, nothing else
    with contextlib.suppress(BadInput):
        write_atomically(note, f"{version} {found}\n")
    return found


def noted(note: Path, pattern: str) -> str | None:
    """The first group of what a small file says; None when there is none, or something else in it."""
    if not note.is_file():
        return None
    try:
        with note.open(encoding="ascii") as stream:
            said = re.fullmatch(pattern, stream.read(512))
    except (OSError, ValueError):
        return None
    return None if said is None else said[1]
