"""Writing a benchmark's directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.files import replacing_directory
from bsft.records.names import name_problem
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest, TaskSpec
from bsft.records.store.manifest import MANIFEST, Tally
from bsft.records.store.ownership import check_replaceable
from bsft.records.untrusted import file_sha256


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
