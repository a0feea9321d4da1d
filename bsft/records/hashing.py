"""SHA-256 of files, each read once per version of its content, however many jobs, commands and processes ask."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
from dataclasses import dataclass
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
_NOTE = re.compile(r"(?P<stamp>\d+ \d+ \d+ \d+) (?P<sha256>[0-9a-f]{64})\n")


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content.

    Kept in the cache under the file's path, size, inode and times of change. The change of the inode is one of these
    times, which no program can set back: an edit that restores the modification time is seen too.

    Raises:
        BadInput: no such file, not a regular one, or not readable.
    """
    try:
        version = _version_of(file)
        in_flux = 0 <= time.time_ns() - version.changed_ns < SETTLED_S * 1e9
        return _read(version.path) if in_flux else _known(version)
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file") from None
    except OSError as error:
        raise BadInput(f"{file}: could not be read: {error.strerror}") from None


def digest(*parts: str) -> str:
    """One SHA-256 of several texts, none of which contains a line break."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class _Version:
    """A file as it is now: `stamp` is another one after any change, the last of which was at `changed_ns`."""

    path: str
    size: int
    stamp: str
    changed_ns: int


def _version_of(file: Path) -> _Version:
    """
    Raises:
        BadInput: it is a directory, a pipe, a device.
        OSError: no such file.
    """
    path = os.path.abspath(file)  # noqa: PTH100  (resolve() asks after every folder on the way)
    found = os.stat(path)  # noqa: PTH116
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(f"{file}: not a regular file")
    stamp = f"{found.st_size} {found.st_ino} {found.st_mtime_ns} {found.st_ctime_ns}"
    return _Version(path, found.st_size, stamp, found.st_ctime_ns)


@cache
def _known(version: _Version) -> str:
    if version.size < MIN_KEPT_BYTES:
        return _read(version.path)
    note = cache_dir() / "hashes" / digest(version.path)[:32]
    if (kept := _kept(note, version)) is not None:
        return kept
    found = _read(version.path)
    # a cache that is full or read-only costs the next command the time to read the file, nothing else
    with contextlib.suppress(BadInput):
        write_atomically(note, f"{version.stamp} {found}\n")
    return found


def _kept(note: Path, version: _Version) -> str | None:
    """What a note says of this version; None when there is none, it is damaged, or it is of another version."""
    try:
        with note.open(encoding="ascii") as stream:
            said = _NOTE.fullmatch(stream.read(512))
    except (OSError, ValueError):
        return None
    return said["sha256"] if said is not None and said["stamp"] == version.stamp else None


def _read(path: str) -> str:
    return file_sha256(Path(path))
