"""What of a tokenizer decides how it writes a conversation, and ChatML for one whose own format is not wanted.

Templates are rendered as transformers does, but on a fixed date and without importing transformers, so that the
pre-flight can render them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.ext import loopcontrols as LoopControls
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bsft.records.errors import BadInput, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = Mapping[str, str]
"""`role` (system, user, assistant) and `content`."""
CHATML_START, CHATML_END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True)
class ChatFormat:
    """`template` is Jinja, `special_tokens` are known in it by their names (`bos_token`, ...), and `unsplittable` are
    the strings that are one token wherever they stand."""

    template: str
    special_tokens: Mapping[str, str] = field(hash=False)
    unsplittable: frozenset[str]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, *, override: str | None = None) -> ChatFormat:
        """The format of a loaded tokenizer; see `chosen`."""
        added = frozenset(str(token) for token in tokenizer.added_tokens_decoder.values())
        return cls.chosen(tokenizer.chat_template, tokenizer.special_tokens_map, added, override=override)

    @classmethod
    def chosen(
        cls, own: object, special_tokens: Mapping[str, str], unsplittable: frozenset[str], *, override: str | None
    ) -> ChatFormat:
        """
        Args:
            own: the tokenizer's own template, several by name (of which the default one counts), or None.
            override: `model.chat_template`.

        Raises:
            BadInput: no template, or one that the tokenizer has no tokens for.
        """
        template = own.get("default") if isinstance(own, Mapping) else own
        if override is not None:
            template = chatml(special_tokens, unsplittable)
        if not isinstance(template, str):
            raise BadInput("its tokenizer has no chat template; set model.chat_template=chatml")
        return cls(template, special_tokens, unsplittable)


def chatml(special_tokens: Mapping[str, str], unsplittable: frozenset[str]) -> str:
    """The ChatML template for a tokenizer, with one token at the end of a turn.

    `<|im_end|>` where that is a token, else the token that ends a sequence. Where `<|im_start|>` is none, a turn begins
    with the name of its role alone.

    Raises:
        BadInput: the tokenizer has neither end.
    """
    start = f"'{CHATML_START}' + " if CHATML_START in unsplittable else ""
    end = f"'{CHATML_END}'" if CHATML_END in unsplittable else "eos_token"
    if end == "eos_token" and special_tokens.get("eos_token") not in unsplittable:
        raise BadInput(
            f"model.chat_template=chatml: the tokenizer has neither {CHATML_END} nor an end-of-sequence token, so that "
            "nothing can end a turn; add one of them to the tokenizer"
        )
    return (
        f"{{% for message in messages %}}{{{{ {start}message['role'] + '\\n' + message['content'] + {end} + '\\n' }}}}"
        f"{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {start}'assistant\\n' }}}}{{% endif %}}"
    )


TINY_TOKENS = {"bos_token": CHATML_START, "eos_token": CHATML_END, "pad_token": "<|endoftext|>"}
"""The special tokens of the tiny tokenizer (`model/tiny.py`)."""
_ADDED = frozenset(TINY_TOKENS.values())
TINY_CHAT = ChatFormat(chatml(TINY_TOKENS, _ADDED), TINY_TOKENS, _ADDED)


class ChatTemplate:
    """A chat template with the special tokens of its tokenizer, on one day of the calendar."""

    def __init__(self, chat: ChatFormat, date: str) -> None:
        """`date` (ISO 8601) is what `date_string` and `strftime_now` say in the template.

        Raises:
            BadInput: the template is not valid Jinja.
        """
        day = datetime.fromisoformat(date)
        self._variables: dict[str, Any] = {
            **chat.special_tokens,
            "tools": None,
            "documents": None,
            "add_generation_prompt": False,
            "date_string": day.strftime("%d %b %Y"),
            "strftime_now": day.strftime,
        }
        try:
            self._compiled = _compile(chat.template)
        except jinja2.TemplateError as error:
            raise BadInput(f"the chat template is not valid Jinja: {reason_of(error, 200)}") from None

    def render(self, messages: Sequence[Message]) -> str:
        """Raises `BadInput` where the template refuses the messages, or fails on them."""
        try:
            return self._compiled.render(messages=[dict(message) for message in messages], **self._variables)
        except Exception as error:  # a template is a program of somebody else's and may raise anything
            roles = ", ".join(message["role"] for message in messages)
            raise BadInput(f"the chat template refuses {roles}: {reason_of(error, 200)}") from error


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
