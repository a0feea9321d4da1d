"""`bsft-train`: one job is fit + score + result. The command line only; the work is in `bsft.job`."""

from __future__ import annotations

import sys

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from bsft import launch


def task(composed: DictConfig) -> None:
    """What Hydra runs for each job. Torch is imported only here.

    In this process a failure goes to the job's directory, from which the exit status is read, and the sweep goes on. A
    cluster's scheduler has to see it too, so there it is raised.
    """
    from bsft.job import run_composed

    try:
        run_composed(composed)
    except Exception:
        if not HydraConfig.get().launcher._target_.endswith(".BasicLauncher"):
            raise


def main() -> None:
    sys.exit(launch.main(task))
