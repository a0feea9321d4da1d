"""`bsft-train`: one job is fit + score + result. The command line only; the work is in `bsft.job`."""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from bsft import launch


def task(composed: DictConfig) -> None:
    """What Hydra runs for each job. Torch is imported only here."""
    from bsft.job import run_composed

    run_composed(composed)


def main() -> None:
    sys.exit(launch.main(task))
