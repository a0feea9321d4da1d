"""The vocabulary of behaviour tokens: three tokens, ordered on the reactive-proactive spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

import torch
from torch import Tensor

from bsft.bench.records import BEHAVIORS, Behavior
from bsft.bench.store import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECTRUM: dict[Behavior, float] = {"reactive": 0.0, "balanced": 0.5, "proactive": 1.0}
DESCRIPTIONS: dict[Behavior, str] = {
    "reactive": "answer only the question that was asked, briefly",
    "balanced": "answer the question and add what is useful, suggest advise",
    "proactive": "warning: speak up unasked about a problem, error, risk, alert",
}
"""Words whose mean embedding a token starts from (`method.behavior.init=description`)."""


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


def initial_rows(embeddings: Tensor, tokenizer: PreTrainedTokenizerBase, init: str, n_known: int) -> Tensor:
    """First values of the three tokens' rows.

    Args:
        embeddings: `(V, H)`, the matrix the rows belong to.
        init: `description` (mean of the rows of describing words), `mean` (mean of all rows) or `random` (a normal
            with the rows' own mean and standard deviation).
        n_known: rows below it belong to the model's own vocabulary.

    Returns:
        `(3, H)` in the embeddings' dtype.
    """
    known = embeddings[:n_known].float()
    if init == "mean":
        return known.mean(0).expand(len(BEHAVIORS), -1).to(embeddings.dtype)
    if init == "random":
        noise = torch.randn(len(BEHAVIORS), known.shape[1], device=known.device)
        return (known.mean(0) + known.std(0) * noise).to(embeddings.dtype)
    rows = [known[tokenizer.encode(DESCRIPTIONS[name], add_special_tokens=False)].mean(0) for name in BEHAVIORS]
    return torch.stack(rows).to(embeddings.dtype)
