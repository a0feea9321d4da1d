"""Logits from hidden states by transformers' own code.

What a causal LM does after its decoder differs: a scale, a soft cap, a division, float32 before or after. So its own
`forward` is called, with a decoder that returns the states it is given.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from bsft.model.parts import decoder_of


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
    """`(..., H)` -> `(..., V)`, the logits that `causal` makes of its decoder's states."""
    decoder = decoder_of(causal)
    given = _Decoder(hidden.reshape(1, -1, hidden.shape[-1]), decoder)
    head = copy.copy(causal)
    head._modules = {name: given if part is decoder else part for name, part in causal._modules.items()}
    outputs: Any = head(input_ids=None, inputs_embeds=given.states, use_cache=False, return_dict=True)
    return cast(Tensor, outputs.logits).view(*hidden.shape[:-1], -1)
