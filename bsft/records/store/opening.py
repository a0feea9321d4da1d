"""A benchmark on disk. When it is opened every line is checked, once, and so is the whole; its items are read when they
are asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from bsft.records.errors import BadInput, listed
from bsft.records.names import name_problem
from bsft.records.schema import Item, Manifest, TaskSpec
from bsft.records.store.index import Head, IndexBuilder, ItemIndex, index_key, load_index, save_index
from bsft.records.store.writing import MANIFEST, Tally, put_back, read_manifest
from bsft.records.untrusted import MAX_LINE_BYTES, file_sha256, open_regular, parse_record, read_lines


@dataclass(frozen=True)
class Benchmark:
    """A benchmark on disk: what it says of itself, and where its items stand."""

    path: Path
    manifest: Manifest
    index: ItemIndex

    @classmethod
    def open(cls, path: Path | str) -> Benchmark:
        """The benchmark at a path, as `open_benchmark` does."""
        return open_benchmark(Path(path))

    @cached_property
    def tasks(self) -> dict[str, TaskSpec]:
        return {task.name: task for task in self.manifest.tasks}

    @property
    def splits(self) -> list[str]:
        return list(self.manifest.files)

    @property
    def sha256(self) -> str:
        """One fingerprint of all files, independent of where they lie."""
        return hashlib.sha256(json.dumps(dict(sorted(self.manifest.sha256.items()))).encode()).hexdigest()

    def items(self, split: str) -> Items:
        """Items of a split in file order.

        Raises:
            BadInput: unknown split.
        """
        if split not in self.manifest.files:
            raise BadInput(f"{self.path}: no split {split!r}; it has {', '.join(self.splits)}")
        return Items(self, np.flatnonzero(self.index.split.rows_of([split])))

    def file(self, row: int) -> Path:
        """Where an item stands."""
        return self.path / self.index.file[row] if self.path.is_dir() else self.path


@dataclass(eq=False)
class Items(Sequence[Item]):
    """Some items of a benchmark, `(N,)` rows of its index. Each is read from its file when it is asked for, and not
    held."""

    benchmark: Benchmark
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Items: ...
    def __getitem__(self, at: int | slice) -> Item | Items:
        """Raises `BadInput` where the file was changed after the benchmark was opened."""
        if isinstance(at, slice):
            return Items(self.benchmark, self.rows[at])
        return next(self._read(self.rows[[at]]))

    def __iter__(self) -> Iterator[Item]:
        return self._read(self.rows)

    def heads(self) -> Iterator[Head]:
        """What can be known of the items without reading them."""
        index, tasks = self.benchmark.index, self.benchmark.tasks
        return (index.head(row, tasks) for row in self.rows.tolist())

    def twin(self, at: int) -> Item | None:
        """The twin of an item, if it is among these."""
        place = self._place_of_row.get(int(self.benchmark.index.twin[self.rows[at]]))
        return None if place is None else self[place]

    @cached_property
    def _place_of_row(self) -> dict[int, int]:
        return {row: i for i, row in enumerate(self.rows.tolist())}

    def _read(self, rows: NDArray[np.intp]) -> Iterator[Item]:
        index = self.benchmark.index
        opened = -1
        with ExitStack() as stack:
            for row in rows.tolist():
                if index.file.codes[row] != opened:
                    stack.close()
                    opened, file = index.file.codes[row], self.benchmark.file(row)
                    try:
                        stream = stack.enter_context(open_regular(file))
                    except BadInput as error:
                        raise BadInput(f"{error}, though it was there when the benchmark was opened") from None
                stream.seek(index.offset[row])
                item = parse_record(Item, stream.readline(MAX_LINE_BYTES), f"{file}: byte {index.offset[row]}")
                if item.id != index.id_of(row):
                    raise BadInput(f"{file}: the file was changed while it was in use")
                yield item


def open_benchmark(path: Path) -> Benchmark:
    """Opens a benchmark, a directory with or without `manifest.json` or one `.jsonl` file, and checks it: hashes, every
    line, counts, unique ids, every case in one split only.

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
