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


@dataclass(frozen=True)
class BehaviorVocabulary:
    """Names, token strings and ids, in spectrum order. It travels in every adapter and export."""

    tokens: tuple[str, ...]
    ids: tuple[int, ...]

    @classmethod
    def add_to(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        """Adds the tokens to a tokenizer, leaving its other special tokens as they are (idempotent)."""
        tokens = tuple(f"<|{name}|>" for name in BEHAVIORS)
        tokenizer.add_special_tokens({"extra_special_tokens": list(tokens)}, replace_extra_special_tokens=False)
        return cls(tokens, tuple(cast(int, tokenizer.convert_tokens_to_ids(token)) for token in tokens))

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
        """Raises `BadInput` with the first difference of a saved vocabulary from this one."""
        mine = self.as_dict()
        if list(saved) != list(mine):
            raise BadInput(f"{where}: behaviours are {', '.join(saved)[:200]}; this model's are {', '.join(mine)}")
        for name, entry in mine.items():
            if saved[name] != entry:
                raise BadInput(f"{where}: behaviour {name} is {str(saved[name])[:200]}; this model's is {entry}")
