"""`bsft-train`: one job is fit + score + result. The command line only; the work is in `bsft.training.job`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from bsft import config as cfg
from bsft import launch
from bsft.display.console import print_error


def task(composed: DictConfig) -> float | None:
    """What Hydra runs for each job. Torch is imported only here.

    In this process a failure goes to the job's directory, from which the exit status is read, and the sweep goes on. A
    cluster's scheduler has to see it too, so there it is raised; so has a sweeper that searches.

    Returns:
        The macro-F1 of the split that is scored: what such a sweeper may maximise.
    """
    hydra = HydraConfig.get()
    launch.mask_overrides(hydra)
    searching = hydra.mode == RunMode.MULTIRUN and hydra.sweeper._target_ != launch.STOCK_SWEEPER
    elsewhere = not hydra.launcher._target_.endswith(".BasicLauncher") or launch.is_further_rank()
    if searching:  # such a job was not known before: it is checked and written down now
        launch.check_and_prepare(cfg.validate(composed))
    from bsft.training.job import Unrecorded, run_composed

    try:
        with _process_of_one_job():
            return run_composed(composed)
    except Exception as error:
        if searching or elsewhere:
            raise
        if isinstance(error, Unrecorded):
            print_error(str(error))
        return None


@contextmanager
def _process_of_one_job() -> Iterator[None]:
    """Further ranks are started with this process's command line: it has to be that of one job, not of a sweep.

    What Lightning writes into the environment then must not reach the next job, which starts ranks of its own.
    """
    own, environment = sys.argv[1:], dict(os.environ)
    sys.argv[1:] = launch.job_arguments(HydraConfig.get())
    try:
        yield
    finally:
        sys.argv[1:] = own
        os.environ.clear()
        os.environ.update(environment)


def main() -> None:
    sys.exit(launch.main(task))
