"""The vocabulary of behaviours: three tokens, or three beginnings of a reply in words, ordered on the
reactive-proactive spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS, Behavior

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECTRUM: dict[Behavior, float] = {"reactive": 0.0, "balanced": 0.5, "proactive": 1.0}
TOKENS = tuple(f"<|{name}|>" for name in BEHAVIORS)
WORDS = tuple(f"{name.capitalize()}:\n" for name in BEHAVIORS)


@dataclass(frozen=True)
class BehaviorVocabulary:
    """Names, strings and ids, in spectrum order. It travels in every adapter and export.

    Attributes:
        tokens: what stands before a reply.
        ids: of each, the first token, which tells it from the others.
        rest: of each, the ids after the first; words have some.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    rest: tuple[tuple[int, ...], ...] = ((), (), ())

    @classmethod
    def add_to(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        """Adds the tokens to a tokenizer, leaving its other special tokens as they are (idempotent)."""
        tokenizer.add_special_tokens({"extra_special_tokens": list(TOKENS)}, replace_extra_special_tokens=False)
        return cls(TOKENS, tuple(cast(int, tokenizer.convert_tokens_to_ids(token)) for token in TOKENS))

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Self | None:
        """The tokens that a tokenizer has already; None if it lacks one."""
        known = tokenizer.get_added_vocab()
        return cls(TOKENS, tuple(known[token] for token in TOKENS)) if known.keys() >= set(TOKENS) else None

    @classmethod
    def of_words(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        """Words as a tokenizer reads them; it stays as it is.

        Raises:
            BadInput: their first tokens do not tell them apart.
        """
        read = [cast(list[int], tokenizer(words, add_special_tokens=False)["input_ids"]) for words in WORDS]
        ids = tuple(own[0] for own in read)
        if len(set(ids)) < len(ids):
            raise BadInput("method.behavior.form=words: the tokenizer begins two behaviours alike; use form=token")
        return cls(WORDS, ids, tuple(tuple(own[1:]) for own in read))

    @property
    def is_words(self) -> bool:
        """No token was added: nothing has rows of its own."""
        return self.tokens == WORDS

    def token_of(self, behavior: Behavior) -> str:
        return self.tokens[BEHAVIORS.index(behavior)]

    def id_of(self, behavior: Behavior) -> int:
        return self.ids[BEHAVIORS.index(behavior)]

    def ids_of(self, behavior: Behavior) -> tuple[int, ...]:
        """All ids that stand before a reply."""
        return (self.id_of(behavior), *self.rest[BEHAVIORS.index(behavior)])

    def as_dict(self) -> dict[str, dict[str, object]]:
        return {
            name: {"token": token, "id": token_id, "position": SPECTRUM[name]}
            for name, token, token_id in zip(BEHAVIORS, self.tokens, self.ids, strict=True)
        }

    def check_same(self, saved: Mapping[str, object], where: str) -> None:
        """Raises `BadInput` with the first difference of a saved vocabulary from this one."""
        mine = self.as_dict()
        if list(saved) != list(mine):
            raise BadInput(f"{where}: behaviours are {', '.join(saved)[:200]}; this model's are {', '.join(mine)}")
        for name, entry in mine.items():
            if saved[name] != entry:
                raise BadInput(f"{where}: behaviour {name} is {str(saved[name])[:200]}; this model's is {entry}")
