"""What decides how texts are written up: the endpoint, its limits, and how often to try."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bsft.records.errors import BadInput
from bsft.records.secrets import masked

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"

_VARIABLE = re.compile(r"[A-Za-z_]\w*")

_RANGES: dict[str, tuple[float, float]] = {
    "attempts": (1, 1000),
    "context_tokens": (1, 1e9),
    "reply_tokens": (1, 1e9),
    "workers": (1, 1024),
    "max_retries": (0, 1000),
    "temperature": (0, 2),
    "timeout_s": (0.001, 86_400),
}


@dataclass(frozen=True, kw_only=True)
class WriterOptions:
    """What decides how texts are written up.

    Attributes:
        model: the model, as the endpoint calls it.
        base_url: any OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1.
        api_key_env: environment variable that holds the key; without it, OpenAI's endpoint is sent OPENAI_API_KEY and
            any other none.
        licence: of the texts.
        attempts: replies asked for until one passes every check.
        context_tokens: length of the model's context.
        reply_tokens: at most, of one reply.
        split: cut texts that do not fit into parts, instead of refusing them.
        temperature: "none" where a model takes none.
        schema_format: json_object is for servers that take the schema there (llama-cpp-python).
        timeout_s: seconds until a call is given up.
        max_retries: calls after one that has failed.
        workers: texts that are written up at once.
        progress: show a progress bar.
        redo_failed: ask again for texts that failed in an earlier run.
    """

    model: str
    base_url: str = OPENAI_URL
    api_key_env: str | None = None
    licence: str = "unknown"
    attempts: int = 3
    context_tokens: int = 16384
    reply_tokens: int = 4096
    split: bool = False
    temperature: float | None = 0.0
    schema_format: Literal["json_schema", "json_object"] = "json_schema"
    timeout_s: float = 120.0
    max_retries: int = 4
    workers: int = 4
    progress: bool = True
    redo_failed: bool = False

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise BadInput(f"base_url: found {masked(self.base_url)!r}, allowed: an http or https address")
        if url.username or url.password:
            raise BadInput("base_url: holds a user or a password; put the key into a variable and name it: api_key_env")
        if self.api_key_env is not None and not _VARIABLE.fullmatch(self.api_key_env):
            raise BadInput("api_key_env: allowed is the name of the environment variable that holds the key")
        for name, (least, most) in _RANGES.items():
            found = getattr(self, name)
            if found is not None and not least <= found <= most:
                raise BadInput(f"{name}: found {found:g}, allowed: {least:g} to {most:g}")
        if self.context_tokens <= 2 * self.reply_tokens:
            raise BadInput(
                f"context_tokens: found {self.context_tokens}, allowed: more than twice reply_tokens "
                f"({self.reply_tokens}), as a correction holds the earlier reply"
            )

    @property
    def is_official(self) -> bool:
        """Whether the endpoint is OpenAI's own, over https."""
        url = urlsplit(self.base_url)
        return (url.scheme, url.hostname, url.port or 443) == ("https", urlsplit(OPENAI_URL).hostname, 443)

    @property
    def key_variable(self) -> str | None:
        """The environment variable whose key is sent: the one that is named. OpenAI's key goes to OpenAI unasked."""
        return self.api_key_env or (OPENAI_KEY if self.is_official else None)
