"""Golden losses: training curves kept as files, so that a change of speed or structure is seen not to change a fit.

A change that is meant to move them records them again: `python tests/test_golden_losses.py`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from jobs import curve_of, only_run
from small import write_small

GOLDEN = Path(__file__).parent / "golden"
TINY = ("trainer.fit.max_epochs=7", "trainer.fit.max_steps=20")
EMBEDDED = ("model=smollm2_135m", "trainer.fit.cases_per_step=2", "trainer.fit.max_steps=5", "data.max_eval_items=4")
FITS = {
    "tiny-general_sft": ("method=general_sft", *TINY),
    "tiny-behavior_sft": ("method=behavior_sft", *TINY),
    "tiny-behavior_sft-full": ("method=behavior_sft", "method.tuning=full", *TINY),
    "smollm2_135m-behavior_sft": ("method=behavior_sft", *EMBEDDED),
}
RELATIVE_ERROR = 1e-4
"""Processors round differently; the curves of different code differ by far more."""


def losses_of(small: Path, root: Path, fit: str) -> list[float]:
    """The loss of every step, in float32."""
    return [float(row["loss"]) for row in curve_of(only_run(small, root, *FITS[fit])) if row["loss"]]


@pytest.mark.parametrize(
    "fit", [pytest.param(fit, marks=pytest.mark.slow) if fit.startswith("smollm2") else fit for fit in FITS]
)
def test_a_fit_has_its_golden_losses(small: Path, root: Path, fit: str) -> None:
    golden = json.loads((GOLDEN / f"losses-{fit}.json").read_text())
    assert losses_of(small, root, fit) == pytest.approx(golden, rel=RELATIVE_ERROR)


def record() -> None:
    """Writes the files anew."""
    for fit in FITS:
        with tempfile.TemporaryDirectory() as scratch:
            small = Path(scratch) / "small"
            write_small(small)
            losses = losses_of(small, Path(scratch) / "multirun", fit)
        (GOLDEN / f"losses-{fit}.json").write_text(json.dumps(losses, indent=1) + "\n")


if __name__ == "__main__":
    record()
