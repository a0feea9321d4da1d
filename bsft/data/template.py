"""Chat templates as transformers renders them, but on a fixed date and without importing transformers, so that the
pre-flight can render them too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.ext import loopcontrols as LoopControls
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bsft.records.errors import BadInput

Message = Mapping[str, str]
"""`role` (system, user, assistant) and `content`."""


class ChatTemplate:
    """A chat template with the special tokens of its tokenizer, on one day of the calendar."""

    def __init__(self, source: str, special_tokens: Mapping[str, str], date: str) -> None:
        """
        Args:
            source: Jinja.
            special_tokens: by their names in templates, such as `bos_token`.
            date: ISO 8601; what `date_string` and `strftime_now` say in the template.

        Raises:
            BadInput: the source is not valid Jinja.
        """
        day = datetime.fromisoformat(date)
        self._variables: dict[str, Any] = {
            **special_tokens,
            "tools": None,
            "documents": None,
            "add_generation_prompt": False,
            "date_string": day.strftime("%d %b %Y"),
            "strftime_now": day.strftime,
        }
        try:
            self._compiled = _compile(source)
        except jinja2.TemplateError as error:
            raise BadInput(f"the chat template is not valid Jinja: {_one_line(error)}") from None

    def render(self, messages: Sequence[Message]) -> str:
        """
        Raises:
            BadInput: the template refuses the messages, or fails on them.
        """
        try:
            return self._compiled.render(messages=[dict(message) for message in messages], **self._variables)
        except Exception as error:  # a template is a program of somebody else's and may raise anything
            roles = ", ".join(message["role"] for message in messages)
            raise BadInput(f"the chat template refuses {roles}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@lru_cache(maxsize=64)
def _compile(source: str) -> jinja2.Template:
    """In the environment that transformers compiles chat templates in, but for `strftime_now`, which comes with the
    messages."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, LoopControls]
    )
    environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)  # without the HTML escapes of Jinja's own
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(source)


class _GenerationBlock(Extension):
    """`{% generation %}`, with which some templates mark the assistant's words; it writes what is in it."""

    tags = {"generation"}  # noqa: RUF012  (jinja2's own attribute)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    def _write(self, caller: Callable[[], str]) -> str:
        return caller()


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
