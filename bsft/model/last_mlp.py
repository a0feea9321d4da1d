"""The last decoder layer's MLP only where its result is read.

Nothing attends to what the last layer makes of a token: where no label or option follows, it is made for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn


class LastMlp:
    """Wraps the MLP of a model's last layer; outside `only_at` it works as ever."""

    def __init__(self, mlp: nn.Module) -> None:
        self._whole = mlp.forward
        self._positions: Tensor | None = None
        mlp.forward = self._forward

    @contextmanager
    def only_at(self, positions: Tensor) -> Iterator[None]:
        """Elsewhere the MLP adds nothing.

        Args:
            positions: `(n,)` indices into the flattened `B * T` tokens; may repeat.
        """
        self._positions = torch.unique(positions)
        try:
            yield
        finally:
            self._positions = None

    def _forward(self, states: Tensor) -> Any:
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
