"""Activations that are computed again in the backward pass, from tensors that are kept anyway.

A layer that reads such an activation keeps its sources instead; the first reader computes it for all.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


class Again:
    """Makes an activation from its sources, once for all of its readers."""

    def __init__(self, make: Callable[..., Tensor]) -> None:
        self._make = make
        self._made: Tensor | None = None
        self._n_readers = self._n_left = 0

    def read(self) -> None:
        """One more layer will ask for the activation."""
        self._n_readers += 1
        self._n_left = self._n_readers

    def __call__(self, *sources: Tensor) -> Tensor:
        """The activation, `(..., D)` as its sources."""
        made = self._make(*sources) if self._made is None else self._made
        self._n_left -= 1
        if self._n_left > 0:
            self._made = made
        else:  # the graph may be kept for another pass
            self._made, self._n_left = None, self._n_readers
        return made


class Origin(NamedTuple):
    """What an activation was made of, how, and how often both had been changed in place by then."""

    sources: tuple[Tensor, ...]
    again: Again
    versions: tuple[int, ...]


_origins: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def remember(out: Tensor, make: Callable[..., Tensor], *sources: Tensor) -> Tensor:
    """Returns `out`, `(..., D)`; if there is a backward pass, with the knowledge that it is `make(*sources)`."""
    if out.requires_grad:
        kept = tuple(source.detach() for source in sources)
        _origins[out] = Origin(kept, Again(make), tuple(tensor._version for tensor in (out, *kept)))
    return out


def origin_of(out: Tensor) -> Origin | None:
    """What `out`, `(..., D)`, was made of, if that is known, still so, and a backward pass will ask."""
    origin: Origin | None = _origins.get(out)  # type: ignore[no-untyped-call]
    if origin is None or not torch.is_grad_enabled():
        return None
    return origin if origin.versions == tuple(tensor._version for tensor in (out, *origin.sources)) else None
