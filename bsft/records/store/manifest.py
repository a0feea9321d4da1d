"""`manifest.json`: what a benchmark says of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.names import listed_file, name_problem
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest, TaskSpec
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
    """Checks that a manifest lists regular files beside it, under splits that can be names.

    Raises:
        BadInput: a split or a file that is not; names it.
    """
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
        """Compares what was counted with what a manifest says.

        Raises:
            BadInput: a number differs; names task, split and label.
        """
        expected = Counter(
            {
                (task, split, label): n
                for task, splits in said.counts.items()
                for split, labels in splits.items()
                for label, n in labels.items()
            }
        )
        for task, split, label in sorted(self._n.keys() | expected.keys()):
            found, n_said = self._n[task, split, label], expected[task, split, label]
            if found != n_said:
                raise BadInput(
                    f"{file}: field counts: task {task!r}, split {split!r}, label {label!r}: found {found} items in "
                    f"the files, expected {n_said}; build or import the benchmark again"
                )

    def _task(self, name: str) -> TaskSpec:
        """A task read off its items: macro-F1 over the options' labels, accuracy where gold is constant."""
        constant = len({label for task, _, label in self._n if task == name}) < 2
        return TaskSpec.model_validate(
            {
                "name": name,
                "group": self.groups[name],
                "metric": "accuracy" if constant else "macro_f1",
                "labels": [] if constant else sorted(self._options[name]),
            }
        )

    def derived(self, name: str, files: Mapping[str, list[str]], sha256: Mapping[str, str]) -> Manifest:
        """The manifest of files that came without one."""
        return Manifest(
            name=name,
            version="unversioned",
            schema_version=SCHEMA_VERSION,
            seed=0,
            licence="unknown",
            tasks=[self._task(task) for task in sorted(self.groups)],
            files=dict(files),
            counts=self.counts(),
            sha256=dict(sha256),
        )
