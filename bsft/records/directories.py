"""Directories that appear whole or not at all, and that take the place of earlier ones without losing them."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bsft.records.files import to_disk


@contextmanager
def replacing_directory(target: Path, check: Callable[[Path], None] = lambda target: None) -> Iterator[Path]:
    """Yields a new directory beside `target`, which takes its place when the block ends well and vanishes otherwise.

    Args:
        check: raises where what lies at `target` may not be replaced; asked before the block and after it.

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
    """Moves back what `replace_directory` had moved aside when it was killed before the new directory was in place.

    Args:
        is_ours: whether a directory of that name holds what may be moved back.
    """
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
