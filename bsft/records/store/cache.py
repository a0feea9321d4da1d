"""Indexes of large benchmarks, kept under the hash of the content that they were made from."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from bsft.records.errors import BadInput
from bsft.records.files import replacing
from bsft.records.hashing import digest
from bsft.records.paths import cache_dir
from bsft.records.schema import Manifest
from bsft.records.store.index import Column, ItemIndex
from bsft.records.untrusted import file_sha256, open_regular

MIN_ITEMS = 5_000
"""Fewer items are checked again in a moment."""
_DIGEST_BYTES = hashlib.sha256().digest_size
"""A file begins with the SHA-256 of the rest, so that what was damaged is never taken apart."""
_PREFIX = "index."
"""Of the names of arrays, because `savez` has an argument `file` of its own."""


def key_of(manifest: Manifest | None, sha256: Mapping[str, str], name: str) -> str:
    """What an index depends on: the files' content, what the manifest says of them, and the code that checks them."""
    said = "" if manifest is None else manifest.model_dump_json()
    return digest(json.dumps([name, said, sorted(sha256.items()), _code_sha256()]))


@cache
def _code_sha256() -> str:
    room = Path(__file__).parent.parent
    return digest(*(file_sha256(file) for file in sorted(room.rglob("*.py"))))


def load(key: str) -> tuple[Manifest, ItemIndex] | None:
    """What was saved under a key; None if there is nothing, or it was damaged since."""
    try:
        with open_regular(_file(key)) as stream:
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


def save(key: str, manifest: Manifest, index: ItemIndex) -> None:
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
    with contextlib.suppress(OSError), replacing(_file(key), durable=False) as partial:
        partial.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())


def _file(key: str) -> Path:
    return cache_dir() / "indexes" / f"{key[:32]}.index"
