"""What of a tokenizer decides how it writes a conversation, and ChatML for one whose own format is not wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bsft.records.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
