"""Where a run's numbers go while it runs: wandb (offline by default), a CSV file, or nowhere; always `train.csv`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger

from bsft import config as cfg
from bsft.rows import SUMMARY, Rows

log = logging.getLogger(__name__)


class RunLogger:
    """The loggers of one job: Lightning's, or a table of our own."""

    def __init__(self, lightning: Logger | None, table: Rows | None = None) -> None:
        self.lightning = lightning
        self.table = table

    def summarise(self, metrics: Mapping[str, Any]) -> None:
        """Logs the final metrics, once; the table leaves out what two equal runs differ in, their cost."""
        summary = {f"{SUMMARY}/{name}": value for name, value in metrics.items() if name != "naive"}
        if self.lightning is not None:
            self.lightning.log_metrics(dict(_flat(summary)))
        if self.table is not None:
            del summary[f"{SUMMARY}/cost"]
            self.table.replace_summary(dict(_flat(summary)))


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat({f"{key}/{name}": child for name, child in value.items()})
        elif isinstance(value, int | float):
            yield key, float(value)


@contextmanager
def open_logger(config: cfg.Config, directory: Path) -> Iterator[RunLogger]:
    """Opens the job's logger and surely closes it: wandb would give the next job of a sweep this one's run."""
    if config.logger.name == "none":
        yield RunLogger(None)
    elif config.logger.name == "csv":
        yield RunLogger(None, Rows(directory / "csv" / "metrics.csv", ("step",)))
    else:
        import wandb

        logger = _wandb_logger(config, directory)
        try:
            yield RunLogger(logger)
        except BaseException:
            wandb.finish(exit_code=1)
            raise
        wandb.finish()


def _wandb_logger(config: cfg.Config, directory: Path) -> WandbLogger | None:
    """One run a job: id = job name, group = sweep. A wandb that does not start never stops a training."""
    import wandb

    (directory / "wandb").mkdir(parents=True, exist_ok=True)
    arguments: dict[str, Any] = {
        "project": config.logger.project,
        "entity": config.logger.entity,
        "save_dir": str(directory),
        "id": directory.name,
        "name": f"{config.method.name}-{config.model.name}-{config.data.name}-s{config.seed}",
        "group": config.sweep,
        "tags": [config.method.name, config.model.name, config.data.name],
        "config": cfg.plain(config),
        "resume": "allow",
        "settings": wandb.Settings(quiet=True, console="off"),
    }
    for offline in [config.logger.mode == "offline", True]:
        try:
            logger = WandbLogger(offline=offline, **arguments)
            logger.experiment.define_metric("*", step_metric="trainer/global_step")
            return logger
        except Exception as error:  # whatever wandb raises, the run goes on
            log.warning("wandb did not start (%s); trying offline", " ".join(str(error).split())[:200])
    return None
