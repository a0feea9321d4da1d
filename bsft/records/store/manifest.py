"""`manifest.json`: what a benchmark says of itself."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.names import listed_file, name_problem
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest
from bsft.records.untrusted import Missing, file_sha256, read_record

MANIFEST = "manifest.json"


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
