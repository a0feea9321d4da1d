"""Where a causal LM keeps its decoder, its layers and its vocabulary: found in the model, not guessed from names; and
what it makes of its decoder's states.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast


def decoder_of(causal: PreTrainedModel) -> nn.Module:
    """The part of a causal LM that makes hidden states of ids.

    Raises:
        ValueError: there is no such part.
    """
    if causal.base_model is not causal:
        return causal.base_model
    inner = [child for child in causal.children() if isinstance(child, PreTrainedModel)]
    if len(inner) != 1:
        raise ValueError(f"{type(causal).__name__} has no part that makes hidden states alone")
    return inner[0]


def decoder_layers(causal: PreTrainedModel) -> nn.ModuleList:
    """The decoder's layers, whatever their name; none where it keeps them otherwise than in one list."""
    n_layers = getattr(causal.config.get_text_config(), "num_hidden_layers", None)
    lists = (m for m in causal.modules() if isinstance(m, nn.ModuleList) and len(m) == n_layers)
    return next(lists, nn.ModuleList())


def embedding_of(causal: PreTrainedModel) -> nn.Embedding:
    return cast(nn.Embedding, causal.get_input_embeddings())


def head_of(causal: PreTrainedModel) -> nn.Linear | None:
    """The output layer; None where the model has none of its own."""
    return cast("nn.Linear | None", causal.get_output_embeddings())  # type: ignore[no-untyped-call]


def is_tied(causal: PreTrainedModel) -> bool:
    """Whether the output layer's matrix is the input embeddings'."""
    head = head_of(causal)
    return head is not None and head.weight is embedding_of(causal).weight


def name_of(part: nn.Module, whole: nn.Module) -> str:
    """The dotted name of a part; raises `ValueError` where it is not in it."""
    for name, module in whole.named_modules():
        if module is part:
            return cast(str, name)
    raise ValueError(f"{type(whole).__name__} has no such part")


@dataclass
class _Read(BaseModelOutputWithPast):
    """A decoder's output of which only the states are there: what else a model has (a router's logits, say) is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Decoder(nn.Module):
    """In a decoder's place: returns the states that it was given, and has the decoder's other attributes."""

    def __init__(self, states: Tensor, real: nn.Module) -> None:
        super().__init__()
        self.states = states
        self.__dict__["_real"] = real

    @property
    def decoder(self) -> _Decoder:
        """OPT's `forward` calls its decoder's decoder."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_real"], name)

    def forward(self, *_: Any, **__: Any) -> _Read:
        return _Read(last_hidden_state=self.states)


def logits_of(causal: PreTrainedModel, hidden: Tensor) -> Tensor:
    """`(..., H)` -> `(..., V)`, the logits that `causal` makes of its decoder's states.

    What a causal LM does after its decoder differs: a scale, a soft cap, a division, float32 before or after. So its
    own `forward` is called, with a decoder that returns the states it is given.
    """
    decoder = decoder_of(causal)
    given = _Decoder(hidden.reshape(1, -1, hidden.shape[-1]), decoder)
    head = copy.copy(causal)
    head._modules = {name: given if part is decoder else part for name, part in causal._modules.items()}
    outputs: Any = head(input_ids=None, inputs_embeds=given.states, use_cache=False, return_dict=True)
    return cast(Tensor, outputs.logits).view(*hidden.shape[:-1], -1)
