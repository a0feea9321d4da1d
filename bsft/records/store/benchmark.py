"""A benchmark that was checked, and its items, which are read when they are asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from bsft.records.errors import BadInput
from bsft.records.schema import Item, Manifest, TaskSpec
from bsft.records.store.index import Head, ItemIndex
from bsft.records.untrusted import MAX_LINE_BYTES, open_regular, parse_record


@dataclass(frozen=True)
class Benchmark:
    """A benchmark on disk: what it says of itself, and where its items stand."""

    path: Path
    manifest: Manifest
    index: ItemIndex

    @classmethod
    def open(cls, path: Path | str) -> Benchmark:
        """The benchmark at a path, as `open_benchmark` does."""
        from bsft.records.store.opening import open_benchmark

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


class Items(Sequence[Item]):
    """Some items of a benchmark. Each is read from its file when it is asked for, and not held."""

    def __init__(self, benchmark: Benchmark, rows: NDArray[np.intp]) -> None:
        """
        Args:
            rows: `(N,)` rows of the benchmark's index.
        """
        self.benchmark = benchmark
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Items: ...
    def __getitem__(self, at: int | slice) -> Item | Items:
        """
        Raises:
            BadInput: the file was changed after the benchmark was opened.
        """
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
                    stream = stack.enter_context(_open(file))
                stream.seek(index.offset[row])
                item = parse_record(Item, stream.readline(MAX_LINE_BYTES), f"{file}: byte {index.offset[row]}")
                if item.id != index.id_of(row):
                    raise BadInput(f"{file}: the file was changed while it was in use")
                yield item


def _open(file: Path) -> BinaryIO:
    try:
        return open_regular(file)
    except BadInput as error:
        raise BadInput(f"{error}, though it was there when the benchmark was opened") from None
