"""Completions that have been paid for, in `$BSFT_CACHE/writer`, under the hash of everything that was sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from bsft.records.errors import BadInput
from bsft.records.files import write_atomically
from bsft.records.paths import cache_dir
from bsft.records.untrusted import read_record


@dataclass(frozen=True)
class Completion:
    """What a model said, why it stopped, and what that cost."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: Annotated[int, Field(strict=True, ge=0)]
    completion_tokens: Annotated[int, Field(strict=True, ge=0)]


class CompletionCache:
    """One JSON file per completion; safe to share between threads and processes."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or cache_dir() / "writer"

    def key(self, request: dict[str, Any]) -> str:
        """The hash of a request: model, messages with prompt and source, schema, sampling."""
        return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def get(self, key: str) -> Completion | None:
        """The completion; None if there is none or its file is damaged."""
        try:
            return read_record(Completion, self._file(key))
        except BadInput:
            return None

    def put(self, key: str, reply: Completion) -> None:
        """
        Raises:
            BadInput: the cache cannot be written to.
        """
        write_atomically(self._file(key), json.dumps(asdict(reply)))

    def _file(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"
