"""An OpenAI-compatible endpoint: one call per completion, by the official client, which waits and retries.

Completions that have been paid for stay in `$BSFT_CACHE/writer`, under the hash of everything that was sent.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import openai
from openai.types.chat import ChatCompletion
from pydantic import ConfigDict, Field

from bsft.importing.writer.options import WriterOptions
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically
from bsft.records.paths import cache_dir
from bsft.records.secrets import MASK, masked
from bsft.records.untrusted import read_record

Message = dict[str, str]

LOCAL_KEY = "none"
"""Sent where no key is set: local servers ask for none, but the client wants one."""


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


class NotWritten(Exception):
    """A text could not be written up; `kind` names the reason in counts."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Endpoint:
    """Asks a model for JSON of a given schema. Thread-safe.

    The key is read from the environment variable that the options name, and sent to no other host than the endpoint's;
    it is never stored, logged or shown. The client's own variables (OPENAI_BASE_URL, OPENAI_ORG_ID, ...) do not count.
    """

    def __init__(self, options: WriterOptions, cache: CompletionCache) -> None:
        variable = options.key_variable
        self._key = os.environ.get(variable, "") if variable is not None else ""
        if variable is not None and not self._key:
            raise BadInput(f"api_key_env: the environment variable {variable} is not set; it holds the key")
        self._options = options
        self._cache = cache
        self._client = openai.OpenAI(
            api_key=self._key or LOCAL_KEY,
            base_url=options.base_url,
            timeout=options.timeout_s,
            max_retries=options.max_retries,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        self._client.organization = self._client.project = self._client.admin_api_key = None

    def close(self) -> None:
        self._client.close()

    def ask(
        self, messages: Sequence[Message], name: str, schema: dict[str, Any], *, fresh: bool
    ) -> tuple[Completion, bool]:
        """The model's reply, and whether it came from the cache.

        Args:
            name: of the schema.
            fresh: ask even if the cache has a reply.

        Raises:
            NotWritten: this call failed after all retries; others may not.
            BadInput: no call can succeed: wrong key, unknown model, no such endpoint, request not understood.
        """
        request = self._request(messages, name, schema)
        key = self._cache.key(request)
        if not fresh and (cached := self._cache.get(key)) is not None:
            return cached, True
        try:
            completion = self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            raise self._explained(error) from None
        reply = _reply(completion)
        self._cache.put(key, reply)
        return reply, False

    def _request(self, messages: Sequence[Message], name: str, schema: dict[str, Any]) -> dict[str, Any]:
        options = self._options
        constraint: dict[str, Any] = {"type": "json_object", "schema": schema}
        if options.schema_format == "json_schema":
            constraint = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        # OpenAI's newer models know only the one name for the limit, many local servers only the other.
        limit = "max_completion_tokens" if options.is_official else "max_tokens"
        request = {"model": options.model, "messages": list(messages), "response_format": constraint}
        sampling = {} if options.temperature is None else {"temperature": options.temperature}
        return {**request, limit: options.reply_tokens, **sampling}

    def _explained(self, error: openai.OpenAIError) -> NotWritten | BadInput:
        """Our error for the client's, without the key."""
        said = masked(" ".join(str(error).split()))[:300]
        if self._key:
            said = said.replace(self._key, MASK)
        url, model = self._options.base_url, self._options.model
        match error:
            case openai.APITimeoutError():
                return NotWritten("timeout", f"no reply within {self._options.timeout_s:g} s")
            case openai.APIConnectionError():
                return NotWritten("no_connection", f"{url}: {said}")
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                key = self._options.key_variable
                which = f"the key in {key} is not accepted" if key else "asks for a key: --api-key-env VARIABLE"
                return BadInput(f"{url}: {which}: {said}")
            case openai.NotFoundError():
                return BadInput(f"{url}: no model {model!r}, or not an OpenAI-compatible endpoint: {said}")
            case openai.RateLimitError():
                return NotWritten("rate_limit", said)
            case openai.BadRequestError() | openai.UnprocessableEntityError():
                if "context" in said.lower():
                    return NotWritten("too_long", f"the endpoint's context is too short for this text: {said}")
                return BadInput(f"{url}: does not accept the request (see schema_format, temperature): {said}")
            case openai.APIStatusError() if error.response.is_redirect:
                to = error.response.headers.get("location", "nowhere")
                return BadInput(f"{url}: redirects to {masked(to)}; nothing is sent there unless base_url names it")
            case _:
                return NotWritten("server_error", said)


def _reply(completion: ChatCompletion) -> Completion:
    if not completion.choices:
        raise NotWritten("server_error", "the endpoint's reply has no choices")
    choice, usage = completion.choices[0], completion.usage
    spent = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return Completion(choice.message.content or "", str(choice.finish_reason), choice.message.refusal, *spent)
