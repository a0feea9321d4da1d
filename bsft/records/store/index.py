"""An index of a benchmark: where each item stands, and its head, in arrays of a few bytes per item.

Selecting, planning a training and counting labels need no more than heads, so that texts stay on disk. A large index is
kept in the cache, under the hash of the content that it was made from.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from bsft.records.errors import BadInput
from bsft.records.files import replacing
from bsft.records.hashing import digest
from bsft.records.paths import cache_dir
from bsft.records.schema import Group, Item, Manifest, TaskSpec, Variant
from bsft.records.untrusted import file_sha256, open_regular

Ints = NDArray[np.signedinteger[Any]]
_VARIANTS: tuple[Variant, ...] = get_args(Variant)
CODED = ("file", "split", "case", "task", "label")
"""Names of the index's columns."""
MIN_ITEMS = 5_000
"""Fewer items are checked again in a moment."""
_DIGEST_BYTES = hashlib.sha256().digest_size
"""A file begins with the SHA-256 of the rest, so that what was damaged is never taken apart."""
_PREFIX = "index."
"""Of the names of arrays, because `savez` has an argument `file` of its own."""


class Head(NamedTuple):
    """What an item is without its text, under the names that `Item` has. `twin_id` is None, too, where the benchmark
    lacks the twin."""

    id: str
    case_id: str
    twin_id: str | None
    task: str
    group: Group
    label: str
    variant: Variant


@dataclass(frozen=True)
class Column:
    """Strings that repeat: `codes` `(N,)` are indices into `values`."""

    values: tuple[str, ...]
    codes: Ints

    def __getitem__(self, row: int) -> str:
        return self.values[int(self.codes[row])]

    def rows_of(self, wanted: Iterable[str]) -> NDArray[np.bool_]:
        """`(N,)`: which rows hold one of the wanted values."""
        chosen = set(wanted)
        return np.array([value in chosen for value in self.values], dtype=bool)[self.codes]


@dataclass(frozen=True)
class ItemIndex:
    """The `N` items of a benchmark in the order of its files.

    Attributes:
        file, split, case, task, label: of each item.
        variant: `(N,)` indices into the variants that `Item` allows.
        offset: `(N,)` the item's first byte in its file.
        twin: `(N,)` the row of its twin, -1 without one.
        ids: all ids in UTF-8, one after the other; item i's ends at `id_end[i]`.
    """

    file: Column
    split: Column
    case: Column
    task: Column
    label: Column
    variant: Ints
    offset: Ints
    twin: Ints
    ids: NDArray[np.uint8]
    id_end: Ints

    def __len__(self) -> int:
        return len(self.offset)

    def id_of(self, row: int) -> str:
        start = self.id_end[row - 1] if row else 0
        return self.ids[start : self.id_end[row]].tobytes().decode()

    def head(self, row: int, tasks: Mapping[str, TaskSpec]) -> Head:
        task, twin = self.task[row], int(self.twin[row])
        twin_id, variant = None if twin < 0 else self.id_of(twin), _VARIANTS[self.variant[row]]
        return Head(self.id_of(row), self.case[row], twin_id, task, tasks[task].group, self.label[row], variant)


class IndexBuilder:
    """Collects an index while items pass by."""

    def __init__(self) -> None:
        self.row_of: dict[str, int] = {}
        self._codes: dict[str, dict[str, int]] = {name: {} for name in CODED}
        self._rows: dict[str, array[int]] = {name: array("i") for name in (*CODED, "variant")}
        self._offsets = array("q")
        self._twins: dict[int, str] = {}

    def add(self, file: str, offset: int, item: Item) -> None:
        """Appends an item, whose id must be new."""
        row = self.row_of[item.id] = len(self.row_of)
        values = {"file": file, "split": item.split, "case": item.case_id, "task": item.task, "label": item.label}
        for name, value in values.items():
            codes = self._codes[name]
            self._rows[name].append(codes.setdefault(value, len(codes)))
        self._rows["variant"].append(_VARIANTS.index(item.variant))
        self._offsets.append(offset)
        if item.twin_id is not None:
            self._twins[row] = item.twin_id

    def finish(self) -> ItemIndex:
        twin = np.full(len(self.row_of), -1, dtype=np.int32)
        for row, twin_id in self._twins.items():
            twin[row] = self.row_of.get(twin_id, -1)
        ids = [item_id.encode() for item_id in self.row_of]
        rows = {name: np.array(values, dtype=np.int32) for name, values in self._rows.items()}
        return ItemIndex(
            **{name: Column(tuple(self._codes[name]), rows[name]) for name in CODED},
            variant=rows["variant"],
            offset=np.array(self._offsets, dtype=np.int64),
            twin=twin,
            ids=np.frombuffer(b"".join(ids), dtype=np.uint8),
            id_end=np.cumsum([len(item_id) for item_id in ids], dtype=np.int64),
        )


def index_key(manifest: Manifest | None, sha256: Mapping[str, str], name: str) -> str:
    """What an index depends on: the files' content, what the manifest says of them, and the code that checks them."""
    said = "" if manifest is None else manifest.model_dump_json()
    return digest(json.dumps([name, said, sorted(sha256.items()), _code_sha256()]))


@cache
def _code_sha256() -> str:
    room = Path(__file__).parent.parent
    return digest(*(file_sha256(file) for file in sorted(room.rglob("*.py"))))


def load_index(key: str) -> tuple[Manifest, ItemIndex] | None:
    """What was saved under a key; None if there is nothing, or it was damaged since."""
    try:
        with open_regular(_kept(key)) as stream:
            saved, content = stream.read(_DIGEST_BYTES), stream.read()
    except (BadInput, OSError):
        return None
    if hashlib.sha256(content).digest() != saved:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {name.removeprefix(_PREFIX): stored[name] for name in stored.files}
    header = json.loads(arrays.pop("header").tobytes())
    columns = {name: Column(tuple(values), arrays[name]) for name, values in header["values"].items()}
    return Manifest.model_validate(header["manifest"]), ItemIndex(**{**arrays, **columns})


def save_index(key: str, manifest: Manifest, index: ItemIndex) -> None:
    """Saves an index for the next time, if it is large and the cache can be written to."""
    if len(index) < MIN_ITEMS:
        return
    parts = {field.name: getattr(index, field.name) for field in dataclasses.fields(index)}
    columns = {name: part for name, part in parts.items() if isinstance(part, Column)}
    header = {"manifest": manifest.model_dump(), "values": {name: own.values for name, own in columns.items()}}
    arrays = {**parts, **{name: own.codes for name, own in columns.items()}}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    content = io.BytesIO()
    np.savez(content, **{f"{_PREFIX}{name}": array for name, array in arrays.items()})
    # a full disk or a cache that is read-only costs the next start some seconds, nothing else
    with contextlib.suppress(OSError), replacing(_kept(key), durable=False) as partial:
        partial.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())


def _kept(key: str) -> Path:
    return cache_dir() / "indexes" / f"{key[:32]}.index"
