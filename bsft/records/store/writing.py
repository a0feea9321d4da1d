"""A benchmark's directory: what `manifest.json` says of it, how it is written, and what may be replaced by it:
directories that hold nothing but what bsft's own commands have written."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.files import recover, replacing_directory
from bsft.records.names import listed_file, name_problem
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest, TaskSpec
from bsft.records.untrusted import Missing, file_sha256, read_json, read_record

MANIFEST = "manifest.json"
IMPORT_REPORT, ITEMS_REPORT = "import_report.json", "items_report.json"
_FIELDS = {IMPORT_REPORT: {"format", "source", "read", "written"}, ITEMS_REPORT: {"cases", "sha256", "left_out"}}
"""By these fields a report is known to be ours."""


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a directory, after its files were checked against it.

    Raises:
        BadInput: it is malformed, of another schema version, or a file is missing or has another hash.
    """
    file = directory / MANIFEST
    manifest = read_record(Manifest, file)
    if manifest.schema_version != SCHEMA_VERSION:
        raise BadInput(
            f"{file}: field schema_version: found {manifest.schema_version}, this bsft reads {SCHEMA_VERSION}; "
            "build or import the benchmark again"
        )
    names = [task.name for task in manifest.tasks]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{file}: field tasks: found {repeated[0]!r} more than once, allowed: once")
    for name in sorted({name for names in manifest.files.values() for name in names} - set(manifest.sha256)):
        raise BadInput(f"{file}: field sha256: {name} is missing, though files lists it")
    check_listing(manifest, file)
    for name, expected in manifest.sha256.items():
        try:
            found = file_sha256(directory / name)
        except Missing as error:
            raise BadInput(f"{error}, though {MANIFEST} lists it") from None
        if found != expected:
            raise BadInput(
                f"{directory / name}: SHA-256 is {found[:12]}..., {MANIFEST} says {expected[:12]}...; "
                "the file was changed or damaged: build or import the benchmark again"
            )
    return manifest


def check_listing(manifest: Manifest, file: Path) -> None:
    """Raises `BadInput` where a manifest lists another thing than a regular file beside it, or a split that can be no
    name; names it."""
    for split, names in manifest.files.items():
        if problem := name_problem(split):
            raise BadInput(f"{file}: field files: {problem}")
        for name in names:
            listed_file(file, f"files.{split}", name)
    for name in manifest.sha256:
        listed_file(file, "sha256", name)


class Tally:
    """What a manifest says of items, counted while they pass by."""

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        self._options: dict[str, set[str]] = defaultdict(set)
        self._n: Counter[tuple[str, str, str]] = Counter()

    def add(self, item: Item) -> None:
        self.groups.setdefault(item.task, item.group)
        self._options[item.task].update(option.label for option in item.options)
        self._n[item.task, item.split, item.label] += 1

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """task -> split -> label -> number of items."""
        counts: dict[str, dict[str, dict[str, int]]] = {}
        for (task, split, label), n in sorted(self._n.items()):
            counts.setdefault(task, {}).setdefault(split, {})[label] = n
        return counts

    def check(self, said: Manifest, file: Path) -> None:
        """Raises `BadInput` where what was counted differs from what a manifest says; names task, split and label."""
        expected: Counter[tuple[str, str, str]] = Counter()
        for task, splits in said.counts.items():
            for split, labels in splits.items():
                expected.update({(task, split, label): n for label, n in labels.items()})
        for task, split, label in sorted(self._n.keys() | expected.keys()):
            found, n_said = self._n[task, split, label], expected[task, split, label]
            if found != n_said:
                raise BadInput(
                    f"{file}: field counts: task {task!r}, split {split!r}, label {label!r}: found {found} items in "
                    f"the files, expected {n_said}; build or import the benchmark again"
                )

    def derived(self, name: str, files: Mapping[str, list[str]], sha256: Mapping[str, str]) -> Manifest:
        """The manifest of files that came without one. Their tasks are scored by macro-F1 over the options' labels, by
        accuracy where gold is constant."""
        tasks = []
        for task, group in sorted(self.groups.items()):
            constant = len({label for other, _, label in self._n if other == task}) < 2
            labels = [] if constant else sorted(self._options[task])
            metric = "accuracy" if constant else "macro_f1"
            tasks.append({"name": task, "group": group, "metric": metric, "labels": labels})
        found: dict[str, Any] = {"files": dict(files), "counts": self.counts(), "sha256": dict(sha256), "tasks": tasks}
        unknown = {"version": "unversioned", "schema_version": SCHEMA_VERSION, "seed": 0, "licence": "unknown"}
        return Manifest.model_validate({"name": name, **unknown, **found})


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
