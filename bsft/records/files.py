"""Files and directories that are written whole or not at all; a directory takes the place of an earlier one without
losing it."""

import contextlib
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.escaping import json_text


def write_json(file: Path, value: Mapping[str, Any], *, durable: bool = True) -> None:
    write_atomically(file, json_text(value) + "\n", durable=durable)


def write_atomically(file: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Writes beside the target, then renames (`replacing`); a full disk or a kill leaves the old file as it was.

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

    Where it is `durable`, it is on the disk before, so that a power cut leaves the old file or the new one. Without it
    only a kill does; for what is soon written again.

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


@contextmanager
def replacing_directory(target: Path, check: Callable[[Path], None] = lambda target: None) -> Iterator[Path]:
    """Yields a new directory beside `target`, which takes its place when the block ends well and vanishes otherwise.
    Before the block and after it, `check` may raise where what lies at `target` may not be replaced.

    Raises:
        OSError: the place cannot be written to.
    """
    check(target)
    scratch = unused(target.with_name(f".{target.name}.{os.getpid()}"))
    scratch.mkdir(parents=True)
    try:
        yield scratch
        check(target)
        replace_directory(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def replace_directory(source: Path, target: Path) -> None:
    """Moves a directory to where another may be. That one is moved aside first, and deleted when the new one is there.

    Raises:
        OSError: it could not be moved; then `target` is what it was.
    """
    for path in (*source.rglob("*"), source):
        to_disk(path)
    if not target.exists():
        source.rename(target)
        to_disk(target.parent)
        return
    aside = unused(_aside(target))
    target.rename(aside)
    try:
        source.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    to_disk(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def recover(target: Path, is_ours: Callable[[Path], bool]) -> None:
    """Moves back what `replace_directory` had moved aside when it was killed before the new directory was in place, if
    it is what may be moved back."""
    if os.path.lexists(target) or not target.name or not target.parent.is_dir():
        return
    prefix = _aside(target).name
    aside = [path for path in target.parent.iterdir() if path.name.startswith(prefix) and is_ours(path)]
    if aside:
        max(aside, key=lambda path: path.stat().st_ctime_ns).rename(target)


def remove(path: Path) -> None:
    """Removes a file, a link or a whole directory, where there is one. For caches alone: nothing is asked.

    Raises:
        OSError: it could not be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")


def unused(path: Path) -> Path:
    """The path, with a number after it where something has its name already: that may be anybody's."""
    names = itertools.chain([path], (path.with_name(f"{path.name}{n}") for n in itertools.count(1)))
    return next(name for name in names if not os.path.lexists(name))
