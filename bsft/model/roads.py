"""The ways in which a model can be read, fastest first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Road:
    """One way of reading a model.

    Attributes:
        batching: `tree`, or `flat` (separate sequences, padded).
        split: the decoder is run alone, and the output layer only where its result is read; otherwise the whole model
            reads one sequence after the other.
        savings: with our own LoRA, norms and last layer, and no backward pass below the first adapted one.
    """

    batching: str
    split: bool = True
    savings: bool = True

    def __str__(self) -> str:
        if not self.split:
            return "whole forward passes, one sequence at a time"
        return {"tree": "prefix trees", "flat": "padded batches"}[self.batching]


ROADS = (
    Road("tree"),
    Road("tree", savings=False),
    Road("flat"),
    Road("flat", savings=False),
    Road("flat", split=False, savings=False),
)
