"""Sweeps for the tests of what reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import BEHAVIOR, CURVE, GROUPS, Sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path / "multirun" / "demo")


@pytest.fixture
def five_methods(sweep: Sweep) -> Sweep:
    """The five methods in an order that is not the report's."""
    sweep.job("behavior_sft", tasks=dict.fromkeys(GROUPS, 0.8), behavior=BEHAVIOR, curve=CURVE)
    sweep.job("baseline", tasks=dict.fromkeys(GROUPS, 0.3))
    sweep.job("general_sft", tasks=dict.fromkeys(GROUPS, 0.7), curve=CURVE)
    sweep.job("few_shot", tasks=dict.fromkeys(GROUPS, 0.5))
    sweep.job("instructed", tasks=dict.fromkeys(GROUPS, 0.4))
    return sweep
