"""Writing a benchmark's directory, and what may be replaced by it: directories that hold nothing but what bsft's own
commands have written."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.files import recover, replacing_directory
from bsft.records.names import name_problem
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest, TaskSpec
from bsft.records.store.manifest import MANIFEST, Tally
from bsft.records.untrusted import file_sha256, read_json, read_record

IMPORT_REPORT, ITEMS_REPORT = "import_report.json", "items_report.json"
_FIELDS = {IMPORT_REPORT: {"format", "source", "read", "written"}, ITEMS_REPORT: {"cases", "sha256", "left_out"}}
"""By these fields a report is known to be ours."""


def write_benchmark(
    output: Path,
    items: Mapping[str, Iterable[Item]],
    tasks: Sequence[TaskSpec],
    *,
    name: str,
    version: str,
    seed: int,
    licence: str,
    notes: Sequence[str] = (),
) -> Manifest:
    """Writes `<split>.jsonl` files and the manifest, all or nothing: a half-written directory is never left behind.

    Raises:
        BadInput: the disk is full, the place cannot be written to, or holds what is no benchmark; or a split's name
            cannot be a file's.
    """
    for split in items:
        if problem := name_problem(split):
            raise BadInput(f"{output}: split: {problem}")
    try:
        with replacing_directory(output, check_replaceable) as scratch:
            tally = Tally()
            for split, split_items in items.items():
                with (scratch / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
                    for item in split_items:
                        tally.add(item)
                        stream.write(line_of(item))
            manifest = Manifest(
                name=name,
                version=version,
                schema_version=SCHEMA_VERSION,
                seed=seed,
                licence=licence,
                tasks=list(tasks),
                files={split: [f"{split}.jsonl"] for split in items},
                counts=tally.counts(),
                sha256={f"{split}.jsonl": file_sha256(scratch / f"{split}.jsonl") for split in items},
                notes=list(notes),
            )
            write_manifest(scratch, manifest)
    except OSError as error:
        raise BadInput(f"{output}: could not be written: {error.strerror}") from error
    return manifest


def line_of(item: Item) -> str:
    """An item as a line of a JSONL file."""
    return item.model_dump_json(exclude_defaults=True) + "\n"


def write_manifest(directory: Path, manifest: Manifest) -> None:
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8", newline="\n")


def check_replaceable(output: Path, *, source: Path | None = None) -> None:
    """Refuses an output whose place is taken by anything but an earlier output of ours, or by its own source.

    Puts an earlier output back that a command was killed over while it was replacing it.

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
