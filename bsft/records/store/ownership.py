"""What may be replaced: directories that hold nothing but what bsft's own commands have written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.files import recover
from bsft.records.schema import Manifest
from bsft.records.store.manifest import MANIFEST
from bsft.records.untrusted import read_json, read_record

IMPORT_REPORT, ITEMS_REPORT = "import_report.json", "items_report.json"
_FIELDS = {IMPORT_REPORT: {"format", "source", "read", "written"}, ITEMS_REPORT: {"cases", "sha256", "left_out"}}
"""By these fields a report is known to be ours."""


def check_replaceable(output: Path, *, source: Path | None = None) -> None:
    """Refuses an output whose place is taken by anything but an earlier output of ours.

    Puts an earlier output back that a command was killed over while it was replacing it.

    Args:
        source: what the output is made from, which must not go with an earlier output.

    Raises:
        BadInput: `output` is a file, a link, the current directory or one above it or the home directory, or a
            directory that holds the source or anything that no build or import has written.
    """
    put_back(output)
    if output.is_symlink():
        raise BadInput(f"{output}: is a symbolic link, allowed: a directory; choose another output")
    if not output.exists():
        return
    if not output.is_dir():
        raise BadInput(f"{output}: is a file, allowed: a directory; choose another output")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (pathlib's raises where a container's user has no home)
    kept = {"the current directory": Path.cwd(), "the home directory": home}
    for name, path in kept.items():
        if path.resolve().is_relative_to(output.resolve()):
            raise BadInput(f"{output}: is {name} or holds it; choose another output")
    if (unknown := _unknown(output)) is not None:
        raise BadInput(
            f"{output}: exists and is not a benchmark: it holds {unknown}, which bsft has not written there; "
            "choose another output"
        )
    if source is not None and source.resolve().is_relative_to(output.resolve()):
        raise BadInput(f"{output}: holds the source, which would be replaced; choose another output")


def put_back(output: Path) -> None:
    """Where a command was killed while it was replacing an output of ours: puts the earlier one back."""
    recover(output, lambda path: path.is_dir() and not path.is_symlink() and _unknown(path) is None)


def _unknown(directory: Path) -> str | None:
    """The first thing in a directory, by name, that is not ours."""
    ours = set(_ours(directory))
    for path in sorted(directory.iterdir()):
        if path.name not in ours or path.is_symlink() or not path.is_file():
            return path.name
    return None


def _ours(directory: Path) -> Iterator[str]:
    """What the files that describe an output list, and these files themselves."""
    manifest = directory / MANIFEST
    if manifest.is_file():
        try:
            yield from read_record(Manifest, manifest).sha256
            yield MANIFEST
        except BadInput:
            return
    for name, fields in _FIELDS.items():
        with suppress(BadInput):  # there is none, or it is another program's
            report = read_json(directory / name)
            if fields <= report.keys():
                yield name
                written = report.get("written", {})
                yield from written if isinstance(written, dict) else ()
