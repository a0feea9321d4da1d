"""Benchmarks on disk: a directory with `manifest.json` and JSONL files, read lazily and checked line by line.

A directory (or a single `.jsonl` file) without a manifest is accepted too; its tasks are then derived from its items.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bsft.bench.records import SCHEMA_VERSION, Item, Manifest, Option, TaskSpec

MANIFEST = "manifest.json"


class BadInput(Exception):
    """Something the user gave is wrong; the message says where, what was found and what is allowed."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark on disk. Items are read when asked for, never all held."""

    path: Path
    manifest: Manifest

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        return {task.name: task for task in self.manifest.tasks}

    @property
    def splits(self) -> list[str]:
        return list(self.manifest.files)

    @property
    def sha256(self) -> str:
        """One fingerprint of all files, independent of where they lie."""
        return fingerprint(self.manifest.sha256)

    def items(self, split: str) -> Iterator[Item]:
        """Items of a split in file order.

        Raises:
            BadInput: unknown split, malformed line, unknown task, or an item that names another split.
        """
        if split not in self.manifest.files:
            raise BadInput(f"{self.path}: no split {split!r}; it has {', '.join(self.splits)}")
        tasks = self.tasks
        for name in self.manifest.files[split]:
            file = self.path / name if self.path.is_dir() else self.path
            for number, item in read_items(file):
                if item.task not in tasks:
                    raise BadInput(
                        f"{file}: line {number}: field task: found {item.task!r}, allowed: {', '.join(sorted(tasks))}"
                    )
                if (labels := tasks[item.task].labels) and item.label not in labels:
                    raise BadInput(
                        f"{file}: line {number}: field label: found {item.label!r}, "
                        f"allowed in task {item.task!r}: {', '.join(labels)}"
                    )
                if item.group != tasks[item.task].group:
                    raise BadInput(
                        f"{file}: line {number}: field group: found {item.group!r}, "
                        f"but task {item.task!r} is {tasks[item.task].group!r}"
                    )
                if item.split == split:
                    yield item
                elif self.path.is_dir():
                    raise BadInput(f"{file}: line {number}: field split: found {item.split!r}, expected {split!r}")


def fingerprint(sha256: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sorted(sha256.items()))).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def explain(error: ValidationError) -> str:
    """The first problem of a pydantic error as `field f: found x, <what is allowed>`."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "record"
    if first["type"] == "missing":
        return f"field {field}: missing"
    if first["type"] == "extra_forbidden":
        return f"field {field}: unknown field"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # a rule about a record as a whole, which names its fields itself
        return f"field {field}: {reason}" if first["loc"] else reason
    found = repr(first["input"])
    return f"field {field}: found {found if len(found) <= 60 else found[:57] + '...'}: {reason[0].lower() + reason[1:]}"


def read_items(path: Path) -> Iterator[tuple[int, Item]]:
    """Yields (line number, item) from a JSONL file.

    Raises:
        BadInput: the file is missing, empty, not UTF-8, or a line is not a valid item.
    """
    empty = True
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                if not raw.strip():
                    continue
                empty = False
                yield number, _parse_item(path, number, raw)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    if empty:
        raise BadInput(f"{path}: the file has no items")


def _parse_item(path: Path, number: int, raw: bytes) -> Item:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: line {number}: byte {error.start + 1} is 0x{raw[error.start]:02x}, which is not UTF-8"
        ) from None
    try:
        return Item.model_validate_json(raw)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise BadInput(f"{path}: line {number}: not valid JSON: {error.errors()[0]['msg']}") from None
        raise BadInput(f"{path}: line {number}: {explain(error)}") from None


def open_benchmark(path: Path) -> Benchmark:
    """Opens a benchmark and checks it as a whole: hashes, unique ids, every case in one split only.

    Args:
        path: a directory with or without `manifest.json`, or one `.jsonl` file.

    Raises:
        BadInput: nothing there, or any check fails.
    """
    if path.is_dir() and (path / MANIFEST).exists():
        benchmark = Benchmark(path, _read_manifest(path))
    elif path.is_dir() or path.is_file():
        benchmark = Benchmark(path, _derive_manifest(path))
    else:
        raise BadInput(f"{path}: no such file or directory")
    _check_whole(benchmark)
    return benchmark


def _read_manifest(directory: Path) -> Manifest:
    file = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
    if manifest.schema_version != SCHEMA_VERSION:
        raise BadInput(
            f"{file}: field schema_version: found {manifest.schema_version}, this bsft reads {SCHEMA_VERSION}; "
            "build or import the benchmark again"
        )
    for name, expected in manifest.sha256.items():
        if not (directory / name).exists():
            raise BadInput(f"{directory / name}: no such file, though {MANIFEST} lists it")
        if (found := file_sha256(directory / name)) != expected:
            raise BadInput(
                f"{directory / name}: SHA-256 is {found[:12]}..., {MANIFEST} says {expected[:12]}...; "
                "the file was changed or damaged: build or import the benchmark again"
            )
    return manifest


def _derive_manifest(path: Path) -> Manifest:
    """Tasks, labels and counts read off the items themselves."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: no {MANIFEST} and no .jsonl file in this directory")
    by_split: dict[str, list[str]] = defaultdict(list)
    options: dict[str, list[list[Option]]] = defaultdict(list)
    gold: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    groups: dict[str, str] = {}
    for file in files:
        for number, item in read_items(file):
            if file.name not in by_split[item.split]:
                by_split[item.split].append(file.name)
            if groups.setdefault(item.task, item.group) != item.group:
                raise BadInput(
                    f"{file}: line {number}: field group: found {item.group!r}, "
                    f"but earlier items of task {item.task!r} say {groups[item.task]!r}"
                )
            options[item.task].append(list(item.options))
            gold[item.task][item.split, item.label] += 1
    tasks = [_derive_task(name, groups[name], gold[name], options[name]) for name in sorted(groups)]
    return Manifest(
        name=path.stem,
        version="unversioned",
        schema_version=SCHEMA_VERSION,
        seed=0,
        licence="unknown",
        tasks=tasks,
        files=dict(by_split),
        counts=_nested_counts(gold),
        sha256={file.name: file_sha256(file) for file in files},
    )


def _derive_task(name: str, group: str, gold: Counter[tuple[str, str]], options: list[list[Option]]) -> TaskSpec:
    labels = sorted({option.label for item in options for option in item})
    constant = len({label for _, label in gold}) < 2
    return TaskSpec.model_validate(
        {
            "name": name,
            "group": group,
            "metric": "accuracy" if constant else "macro_f1",
            "labels": [] if constant else labels,
        }
    )


def _nested_counts(gold: Mapping[str, Counter[tuple[str, str]]]) -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for task, counter in sorted(gold.items()):
        for (split, label), n in sorted(counter.items()):
            counts.setdefault(task, {}).setdefault(split, {})[label] = n
    return counts


def _check_whole(benchmark: Benchmark) -> None:
    ids: set[str] = set()
    split_of_case: dict[str, str] = {}
    for split in benchmark.splits:
        for item in benchmark.items(split):
            if item.id in ids:
                raise BadInput(f"{benchmark.path}: split {split}: duplicate item id {item.id!r}")
            ids.add(item.id)
            if (other := split_of_case.setdefault(item.case_id, split)) != split:
                raise BadInput(
                    f"{benchmark.path}: case {item.case_id!r} appears in split {other} and in split {split} "
                    f"(item {item.id!r}); a case must stay in one split"
                )


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
        BadInput: the disk is full or the place cannot be written to.
    """
    scratch = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        scratch.mkdir(parents=True)
        gold: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for split, split_items in items.items():
            with (scratch / f"{split}.jsonl").open("w", encoding="utf-8") as stream:
                for item in split_items:
                    gold[item.task][split, item.label] += 1
                    stream.write(item.model_dump_json(exclude_defaults=True) + "\n")
        manifest = Manifest(
            name=name,
            version=version,
            schema_version=SCHEMA_VERSION,
            seed=seed,
            licence=licence,
            tasks=list(tasks),
            files={split: [f"{split}.jsonl"] for split in items},
            counts=_nested_counts(gold),
            sha256={f"{split}.jsonl": file_sha256(scratch / f"{split}.jsonl") for split in items},
            notes=list(notes),
        )
        (scratch / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if output.exists():
            shutil.rmtree(output)
        scratch.rename(output)
    except OSError as error:
        raise BadInput(f"{output}: could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest
