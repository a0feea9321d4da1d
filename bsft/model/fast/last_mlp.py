"""The last decoder layer's MLP only where its result is read.

Nothing attends to what the last layer makes of a token: where no label or option follows, it is made for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from bsft.model.parts import decoder_layers

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone


def _mlp_of(backbone: Backbone) -> nn.Module | None:
    layers = decoder_layers(backbone.causal)
    mlp = getattr(layers[-1], "mlp", None) if layers else None
    return mlp if isinstance(mlp, nn.Module) and type(mlp).__name__.endswith("MLP") else None


def applies(backbone: Backbone) -> bool:
    """Whether the last layer has an MLP."""
    return _mlp_of(backbone) is not None


def install(backbone: Backbone) -> None:
    """Wraps the last MLP, and the decoding that says where its result is read."""
    last = LastMlp(backbone, cast(nn.Module, _mlp_of(backbone)))
    last.mlp.forward = last.forward
    backbone.decode = last.decode  # type: ignore[method-assign]


class LastMlp:
    """The MLP of a model's last layer; where nobody says what is read, it works as ever."""

    def __init__(self, backbone: Backbone, mlp: nn.Module) -> None:
        self.mlp = mlp
        self._causal = backbone.causal
        self._decode = backbone.decode
        self._whole = mlp.forward
        self._positions: Tensor | None = None

    def decode(self, input_ids: Tensor, *, read_at: Tensor | None = None, **inputs: Any) -> Tensor:
        """`Backbone.decode`, `(B, T)` -> `(B, T, H)`; the MLP adds nothing outside `read_at`, `(n,)`."""
        if read_at is not None and not self._causal.is_gradient_checkpointing:  # which computes the rest again
            self._positions = torch.unique(read_at)
        try:
            return self._decode(input_ids, read_at=read_at, **inputs)
        finally:
            self._positions = None

    def forward(self, states: Tensor) -> Any:
        """`(B, T, H)` to the same, in the place of the MLP's own."""
        if self._positions is None:
            return self._whole(states)
        rows = states.flatten(0, 1)
        made = self._whole(rows[self._positions][None])
        if isinstance(made, tuple):  # experts also return what the router says, which nobody reads after them
            return self._spread(made[0], rows, states), *made[1:]
        return self._spread(made, rows, states)

    def _spread(self, made: Tensor, rows: Tensor, states: Tensor) -> Tensor:
        spread = torch.zeros_like(rows, dtype=made.dtype).index_copy(0, cast(Tensor, self._positions), made[0])
        return spread.view_as(states)
