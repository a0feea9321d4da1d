"""What decides how texts are written up: the endpoint, its limits, and how often to try."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from omegaconf import MISSING

from bsft.bench.store import BadInput

OPENAI_URL = "https://api.openai.com/v1"

_RANGES: dict[str, tuple[float, float]] = {
    "attempts": (1, 1000),
    "context_tokens": (1, 1e9),
    "reply_tokens": (1, 1e9),
    "workers": (1, 1024),
    "max_retries": (0, 1000),
    "temperature": (0, 2),
    "timeout_s": (0.001, 86_400),
}


@dataclass
class WriterOptions:
    """Keys of `bsft-bench import text`; see its help."""

    output: str = MISSING
    writer: str = MISSING
    model: str = MISSING
    base_url: str = OPENAI_URL
    api_key_env: str = "OPENAI_API_KEY"
    licence: str = "unknown"
    attempts: int = 3
    context_tokens: int = 16384
    reply_tokens: int = 4096
    split: bool = False
    temperature: float | None = 0.0
    schema_format: str = "json_schema"
    timeout_s: float = 120.0
    max_retries: int = 4
    workers: int = 4
    progress: bool = True
    redo_failed: bool = False

    def __post_init__(self) -> None:
        if self.writer not in ("llm", MISSING):
            raise BadInput(f"writer: found {self.writer!r}, allowed: llm")
        if self.schema_format not in ("json_schema", "json_object"):
            raise BadInput(f"schema_format: found {self.schema_format!r}, allowed: json_schema or json_object")
        if urlsplit(self.base_url).scheme not in ("http", "https"):
            raise BadInput(f"base_url: found {self.base_url!r}, allowed: an http or https address")
        for name, (least, most) in _RANGES.items():
            found = getattr(self, name)
            if found is not None and not least <= found <= most:
                raise BadInput(f"{name}: found {found:g}, allowed: {least:g} to {most:g}")
        if self.context_tokens <= 2 * self.reply_tokens:
            raise BadInput(
                f"context_tokens: found {self.context_tokens}, allowed: more than twice reply_tokens "
                f"({self.reply_tokens}), as a correction holds the earlier reply"
            )
