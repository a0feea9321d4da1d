"""A cache of keys and values in the layout that tree attention gathers from: token by token, not head by head."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class _TokenwiseLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            keys, values = key_states, value_states
        else:
            keys = _joined(cast(Tensor, self.keys), key_states)
            values = _joined(cast(Tensor, self.values), value_states)
        self.keys, self.values = keys, values
        return keys, values


class TokenwiseCache(DynamicCache):
    """What `DynamicCache` does, without copying `(1, H, N, D)` states into another layout and back."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_class_to_replicate = _TokenwiseLayer


def _joined(old: Tensor, new: Tensor) -> Tensor:
    return torch.cat([old.transpose(1, 2), new.transpose(1, 2)], dim=1).transpose(1, 2)
