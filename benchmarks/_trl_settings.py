"""TRL's settings that the search tries. Apart from the side itself, because it needs no TRL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrlSettings:
    """What is varied; names are `SFTConfig`'s where it has one.

    Attributes:
        bf16: bf16 autocast.
        weights_dtype: dtype of the frozen base; adapters are fp32.
        packed_examples: how many examples a packed row holds (best-fit decreasing); 1: no packing.
    """

    per_device_train_batch_size: int = 1
    weights_dtype: str = "bfloat16"
    bf16: bool = True
    gradient_checkpointing: bool = False
    padding_free: bool = False
    packed_examples: int = 1
    dataloader_num_workers: int = 0

    def __str__(self) -> str:
        """What differs from the search's start, after the batch size."""
        start = TrlSettings()
        changed = [f"{n}={v}" for n, v in vars(self).items() if n not in _ALWAYS_SHOWN and v != getattr(start, n)]
        return ", ".join([f"batch {self.per_device_train_batch_size}", *changed])


_ALWAYS_SHOWN = ("per_device_train_batch_size",)


def rounds(n_examples: int) -> list[list[dict[str, Any]]]:
    """The search, coordinate by coordinate: each round's changes are tried on the fastest settings so far.

    Args:
        n_examples: how many a step of the search holds; no batch or packed row is larger.
    """
    powers = [2**k for k in range(1, n_examples.bit_length())]
    return [
        [{"per_device_train_batch_size": size} for size in powers],
        [{"per_device_train_batch_size": size, "padding_free": True} for size in powers[:1]],
        [{"per_device_train_batch_size": 1, "padding_free": False, "packed_examples": size} for size in powers],
        [{"weights_dtype": "float32"}],
        [{"bf16": False}],
        [{"dataloader_num_workers": 1}],
    ]
