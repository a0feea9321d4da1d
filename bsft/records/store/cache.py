"""Indexes of large benchmarks, kept under the hash of the content that they were made from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bsft.records import schema as records
from bsft.records import untrusted
from bsft.records.errors import BadInput
from bsft.records.files import replacing
from bsft.records.paths import cache_dir
from bsft.records.schema import Manifest
from bsft.records.store.index import CODED, Column, ItemIndex

MIN_ITEMS = 5_000
"""Fewer items are checked again in a moment."""
_DIGEST_BYTES = hashlib.sha256().digest_size
"""A file begins with the SHA-256 of the rest, so that what was damaged is never taken apart."""
_ARRAYS = ("variant", "offset", "twin", "id_end")


def key_of(manifest: Manifest | None, sha256: Mapping[str, str], name: str) -> str:
    """What an index depends on: the files' content, what the manifest says of them, and the code that checks them."""
    said = "" if manifest is None else manifest.model_dump_json()
    text = json.dumps([name, said, sorted(sha256.items()), _code_sha256()])
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _code_sha256() -> str:
    digest = hashlib.sha256()
    rooms = (Path(__file__).parent, Path(untrusted.__file__).parent)
    for file in (Path(records.__file__), *(file for room in rooms for file in sorted(room.glob("*.py")))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def load(key: str) -> tuple[Manifest, ItemIndex] | None:
    """What was saved under a key; None if there is nothing, or it was damaged since."""
    try:
        with untrusted.open_regular(_file(key)) as stream:
            digest, content = stream.read(_DIGEST_BYTES), stream.read()
    except (BadInput, OSError):
        return None
    if hashlib.sha256(content).digest() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header: dict[str, Any] = json.loads(arrays["header"].tobytes())
    parts: dict[str, Any] = {name: Column(tuple(header["values"][name]), arrays[f"{name}_codes"]) for name in CODED}
    parts |= {name: arrays[name] for name in _ARRAYS}
    index = ItemIndex(**parts, ids=arrays["ids"].tobytes())
    return Manifest.model_validate(header["manifest"]), index


def save(key: str, manifest: Manifest, index: ItemIndex) -> None:
    """Saves an index for the next time, if it is large and the cache can be written to."""
    if len(index) < MIN_ITEMS:
        return
    columns = {name: getattr(index, name) for name in CODED}
    header = {"manifest": manifest.model_dump(), "values": {name: own.values for name, own in columns.items()}}
    arrays: dict[str, Any] = {name: getattr(index, name) for name in _ARRAYS}
    arrays |= {f"{name}_codes": own.codes for name, own in columns.items()}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    arrays["ids"] = np.frombuffer(index.ids, np.uint8)
    content = io.BytesIO()
    np.savez(content, **arrays)
    file = _file(key)
    # a full disk or a cache that is read-only costs the next start some seconds, nothing else
    with contextlib.suppress(OSError), replacing(file, durable=False) as partial:
        partial.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())


def _file(key: str) -> Path:
    return cache_dir() / "indexes" / f"{key[:32]}.index"
