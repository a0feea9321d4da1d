"""Opening a benchmark: every line is checked, once, and so is the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bsft.records.errors import BadInput, listed
from bsft.records.names import name_problem
from bsft.records.schema import Item, Manifest, TaskSpec
from bsft.records.store.benchmark import Benchmark
from bsft.records.store.index import IndexBuilder, ItemIndex, index_key, load_index, save_index
from bsft.records.store.manifest import MANIFEST, Tally, read_manifest
from bsft.records.store.writing import put_back
from bsft.records.untrusted import file_sha256, parse_record, read_lines


def open_benchmark(path: Path) -> Benchmark:
    """Opens a benchmark and checks it: hashes, every line, counts, unique ids, every case in one split only.

    Args:
        path: a directory with or without `manifest.json`, or one `.jsonl` file.

    Raises:
        BadInput: nothing there, or any check fails.
    """
    put_back(path)
    if not path.is_dir() and not path.is_file():
        raise BadInput(f"{path}: no such file or directory")
    said = read_manifest(path) if path.is_dir() and (path / MANIFEST).exists() else None
    sha256 = {file.name: file_sha256(file) for file in _jsonl_files(path)} if said is None else said.sha256
    key = index_key(said, sha256, path.stem)
    if (found := load_index(key)) is None:
        found = _Inspection(path, said, sha256).run()
        save_index(key, *found)
    return Benchmark(path, *found)


def read_items(path: Path) -> Iterator[tuple[int, int, Item]]:
    """All items of a JSONL file, each with its line, counted from 1, and the first byte of it; not blank lines.

    Raises:
        BadInput: the file is missing, empty or not a regular file, or a line is not a valid item.
    """
    number = 0
    for number, offset, raw in read_lines(path):
        yield number, offset, parse_record(Item, raw, f"{path}: line {number}")
    if not number:
        raise BadInput(f"{path}: the file has no items")


def _jsonl_files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: no {MANIFEST} and no .jsonl file in this directory")
    return files


class _Inspection:
    """One pass over all lines of a benchmark, which checks, counts and indexes them."""

    def __init__(self, path: Path, said: Manifest | None, sha256: Mapping[str, str]) -> None:
        self._path = path
        self._said = said
        self._tasks = {} if said is None else {task.name: task for task in said.tasks}
        self._sha256 = sha256
        self._tally = Tally()
        self._index = IndexBuilder()
        self._split_of_case: dict[str, str] = {}
        self._files_of: dict[str, list[str]] = {}

    def run(self) -> tuple[Manifest, ItemIndex]:
        """Raises `BadInput` for the first line that is wrong, or a count that differs from the manifest's."""
        files = {None: self._sha256} if self._said is None else self._said.files
        for split, names in files.items():
            for name in names:
                self._read(name, split)
        if self._said is None:
            return self._tally.derived(self._path.stem, self._files_of, self._sha256), self._index.finish()
        self._tally.check(self._said, self._path / MANIFEST)
        return self._said, self._index.finish()

    def _read(self, name: str, split: str | None) -> None:
        """Reads a file, which must hold `split` where that is known."""
        file = self._path / name if self._path.is_dir() else self._path
        for number, offset, item in read_items(file):
            if problem := self._problem(item, split):
                raise BadInput(f"{file}: line {number}: {problem}")
            if self._path.is_dir():
                split = item.split  # a file of a directory holds one split
            if name not in (own := self._files_of.setdefault(item.split, [])):
                own.append(name)
            self._tally.add(item)
            self._index.add(name, offset, item)

    def _problem(self, item: Item, split: str | None) -> str | None:
        """What is wrong with an item beside the others and beside the manifest."""
        if self._said is not None and (problem := _task_problem(item, self._tasks)):
            return problem
        if (group := self._tally.groups.get(item.task, item.group)) != item.group:
            return f"field group: found {item.group!r}, but earlier items of task {item.task!r} say {group!r}"
        if item.split not in self._files_of and (problem := name_problem(item.split)):
            return f"field split: {problem}"
        if split is not None and item.split != split:
            return f"field split: found {item.split!r}, expected {split!r}"
        if item.id in self._index.row_of:
            return f"field id: found {item.id!r} again; the ids of a benchmark must be unique"
        if (other := self._split_of_case.setdefault(item.case_id, item.case_split)) != item.case_split:
            return (
                f"field case_id: found {item.case_id!r} in split {item.split!r}, but earlier items of this case are in "
                f"split {other!r}; a case must stay in one split"
            )
        return None


def _task_problem(item: Item, tasks: Mapping[str, TaskSpec]) -> str | None:
    """Where an item contradicts what the manifest says of its task."""
    if (task := tasks.get(item.task)) is None:
        return f"field task: found {item.task!r}, allowed: {listed(sorted(tasks))}"
    if task.labels and item.label not in task.labels:
        return f"field label: found {item.label!r}, allowed in task {item.task!r}: {listed(task.labels)}"
    if item.group != task.group:
        return f"field group: found {item.group!r}, but task {item.task!r} is {task.group!r}"
    return None
