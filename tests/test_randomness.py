"""Random states go into a checkpoint and come back."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from bsft.training.fitting import get_states, set_states


def draw() -> list[float]:
    return [random.random(), random.gauss(0, 1), float(np.random.random()), float(np.random.normal()), *torch.rand(2)]


def test_states_survive_a_file_that_is_loaded_safely(tmp_path: Path) -> None:
    random.gauss(0, 1)  # leaves the second of a pair behind, which is part of the state
    np.random.normal()
    torch.save(get_states(), tmp_path / "states.pt")
    expected = draw()
    assert draw() != expected
    set_states(torch.load(tmp_path / "states.pt", weights_only=True))
    assert draw() == expected
