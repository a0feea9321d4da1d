"""Text as a person wrote it: a string such as `<|im_end|>` inside a scene or a reply is text, never a special token.

The chat template puts special tokens around the text, so the prompt cannot simply be encoded without them. Instead,
such strings are marked in the text before the template is applied, and a prompt with marks is encoded by a copy of the
tokenizer in which the special tokens have other names: the template's are renamed with them, the marked ones are not.
Normalisation, pre-tokenisation and ids stay the tokenizer's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from bsft.records.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = "\ufdd0"
"""A noncharacter, which no text contains."""


class LiteralEncoder:
    """Encodes what a chat template has made of marked texts. Create it after all tokens have been added."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str = "") -> None:
        """Tokens that the chat template writes itself, such as `<think>`, count as special ones."""
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.values()
        # longest first: one may begin another
        marked = (str(t) for t in added if t.special or _is_markup(str(t), template))
        self._specials = sorted(marked, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._specials)) or r"(?!)")

    def mark(self, text: str) -> str:
        """Marks the special tokens' strings in a text; one without any is returned as it is."""
        return self._pattern.sub(lambda found: found[0][0] + _MARK + found[0][1:], text)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts that may have marks; nothing is added at their ends.

        Raises:
            BadInput: a text has marks, and the tokenizer is none that can be copied.
        """
        if not any(_MARK in text for text in texts):
            return cast(list[list[int]], self._tokenizer(list(texts), add_special_tokens=False)["input_ids"])
        renamed = [self._pattern.sub(lambda found: self._names[found[0]], text) for text in texts]
        literal = [text.replace(_MARK, "") for text in renamed]
        return [encoding.ids for encoding in self._copy.encode_batch(literal, add_special_tokens=False)]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Special token -> its other name, made of private-use characters."""
        return {token: f"\ue000{i}\ue001" for i, token in enumerate(self._specials)}

    @cached_property
    def _copy(self) -> Tokenizer:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise BadInput(
                f"the text contains a special token of the tokenizer ({', '.join(self._specials[:3])}, ...), and a "
                f"{type(self._tokenizer).__name__} cannot read it as text; use a model with a fast tokenizer"
            )
        state: dict[str, Any] = json.loads(backend.to_str())
        for token in state["added_tokens"]:
            token["content"] = self._names.get(token["content"], token["content"])
        vocabulary = state["model"]["vocab"]
        if isinstance(vocabulary, dict):
            state["model"]["vocab"] = {self._names.get(piece, piece): i for piece, i in vocabulary.items()}
        else:  # Unigram: pieces with their scores
            state["model"]["vocab"] = [[self._names.get(piece, piece), score] for piece, score in vocabulary]
        if (unknown := state["model"].get("unk_token")) is not None:
            state["model"]["unk_token"] = self._names.get(unknown, unknown)
        state["post_processor"] = None  # it adds tokens at the ends, which is not asked for, and knows them by name
        state["truncation"] = state["padding"] = None
        return Tokenizer.from_str(json.dumps(state))


def _is_markup(token: str, template: str) -> bool:
    """Whether a template uses a token to structure its text: `<think>`, but neither line breaks nor words."""
    return not token[:1].isalnum() and any(map(str.isalnum, token)) and token in template
