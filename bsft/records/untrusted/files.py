"""Bytes of files that nobody vouches for: regular files only, of limited size, in UTF-8."""

import codecs
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from bsft.records.errors import BadInput

MAX_DOCUMENT_BYTES = 64 << 20
"""Of a file that is read as a whole. A real one has kilobytes, the notes of a benchmark a few megabytes."""
MAX_LINE_BYTES = 16 << 20
"""Of one line of a file of lines. An item has a few kilobytes."""


class Missing(BadInput):
    """There is no such file; what every reader here raises then."""


class RawLine(NamedTuple):
    """A line that is not blank: its number, counted from 1, its first byte in the file, and its bytes."""

    number: int
    offset: int
    raw: bytes


def open_regular(file: Path) -> BufferedReader:
    """Opens a regular file; anything else, such as a pipe that nobody writes to, is refused before it is opened.

    Raises:
        BadInput: it is something else, or must not be read.
    """
    try:
        _check_regular(file, file.stat().st_mode)
        # what is at the path may change between the two looks: neither may make this process wait
        stream = open(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")  # noqa: PTH123, SIM115
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(f"{file}: no such file") from None
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have
        raise BadInput(f"{file}: {error}") from None
    try:
        _check_regular(file, os.fstat(stream.fileno()).st_mode)
    except BadInput:
        stream.close()
        raise
    return stream


def _check_regular(file: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise BadInput(f"{file}: is a directory, allowed: a file")
    if not stat.S_ISREG(mode):
        raise BadInput(f"{file}: is a device, pipe or socket, allowed: a regular file")


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """What goes wrong while a file is read is the file's fault."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from None


def read_bytes(file: Path, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
    """A file's bytes, without a byte order mark.

    Raises:
        BadInput: it is not a regular file, must not be read, or is too large.
    """
    with open_regular(file) as stream, _readable(file):
        raw = stream.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise BadInput(f"{file}: larger than {max_bytes:,} bytes, which is all that is read of such a file")
    return raw.removeprefix(codecs.BOM_UTF8)


def read_text(file: Path, max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """A file's text, without a byte order mark.

    Raises:
        BadInput: as `read_bytes`, or it is not UTF-8.
    """
    return decoded(read_bytes(file, max_bytes), str(file))


def decoded(raw: bytes, where: str) -> str:
    """The text that bytes are; an error begins with `where`.

    Raises:
        BadInput: the bytes are not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise BadInput(f"{where}: byte {error.start + 1} is 0x{byte:02x}, which is not UTF-8") from None


def read_lines(file: Path) -> Iterator[RawLine]:
    """Lines of a file, without those that are blank and without a byte order mark before the first.

    Raises:
        BadInput: it is not a regular file, must not be read, or a line is too long.
    """
    offset = 0
    with open_regular(file) as stream, _readable(file):
        for number in itertools.count(1):
            raw = stream.readline(MAX_LINE_BYTES + 1)
            if len(raw) > MAX_LINE_BYTES:
                raise BadInput(
                    f"{file}: line {number}: longer than {MAX_LINE_BYTES:,} bytes, which is all that is read"
                )
            if not raw:
                return
            line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            if line and not line.isspace():
                yield RawLine(number, offset + len(raw) - len(line), line)
            offset += len(raw)


def file_sha256(file: Path) -> str:
    """SHA-256 of a regular file.

    Raises:
        BadInput: it is something else, or must not be read.
    """
    with open_regular(file) as stream, _readable(file):
        return hashlib.file_digest(stream, "sha256").hexdigest()
