"""The ways in which a model can be read, fastest first."""

from __future__ import annotations

from dataclasses import dataclass

from bsft.model import fast


@dataclass(frozen=True)
class Road:
    """One way of reading a model.

    Attributes:
        batching: `tree`, or `flat` (separate sequences, padded).
        split: the decoder is run alone, and the output layer only where its result is read; otherwise the whole model
            reads one sequence after the other.
        patches: names of what may stand in the place of the model's own forward passes (`fast.PATCHES`).
    """

    batching: str
    split: bool = True
    patches: frozenset[str] = fast.NAMES

    def __str__(self) -> str:
        if not self.split:
            return "whole forward passes, one sequence at a time"
        return {"tree": "prefix trees", "flat": "padded batches"}[self.batching]


WHOLE = Road("flat", split=False, patches=frozenset())
