"""The vocabulary of behaviour tokens: three tokens, ordered on the reactive-proactive spectrum."""

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


@dataclass(frozen=True)
class BehaviorVocabulary:
    """Names, token strings and ids, in spectrum order. It travels in every adapter and export."""

    tokens: tuple[str, ...]
    ids: tuple[int, ...]

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

    def token_of(self, behavior: Behavior) -> str:
        return self.tokens[BEHAVIORS.index(behavior)]

    def id_of(self, behavior: Behavior) -> int:
        return self.ids[BEHAVIORS.index(behavior)]

    def as_dict(self) -> dict[str, dict[str, object]]:
        return {
            name: {"token": token, "id": token_id, "position": SPECTRUM[name]}
            for name, token, token_id in zip(BEHAVIORS, self.tokens, self.ids, strict=True)
        }

    def check_same(self, saved: Mapping[str, object], where: str) -> None:
        """Refuses a saved vocabulary that differs from this one.

        Raises:
            BadInput: names the first difference.
        """
        mine = self.as_dict()
        if list(saved) != list(mine):
            raise BadInput(f"{where}: behaviours are {', '.join(saved)[:200]}; this model's are {', '.join(mine)}")
        for name, entry in mine.items():
            if saved[name] != entry:
                raise BadInput(f"{where}: behaviour {name} is {str(saved[name])[:200]}; this model's is {entry}")
