"""One start for both sides: adapters that do something, the same for the same parameter name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn


def set_adapters(trainable: Mapping[str, nn.Parameter]) -> None:
    """Fills adapters with numbers that depend only on their names.

    At PEFT's own start B is zero, and so is A's gradient: half of the gradients would be compared as 0 = 0.
    """
    with torch.no_grad():
        for name, parameter in trainable.items():
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
            generator = torch.Generator().manual_seed(seed)
            values = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(values * 0.02)
