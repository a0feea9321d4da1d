"""Where a run's numbers go while it runs: wandb (offline by default), a CSV file, or nowhere; always `train.csv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from bsft import config as cfg
from bsft.runs.rows import SUMMARY, Rows
from bsft.training.tracking import tracked


@dataclass(frozen=True)
class RunLogger:
    """The loggers of one job: Lightning's, or a table of our own."""

    lightning: Logger | None
    table: Rows | None = None

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
    """Opens the job's logger and surely closes it."""
    if config.logger.name == "none":
        yield RunLogger(None)
    elif config.logger.name == "csv":
        yield RunLogger(None, Rows(directory / "csv" / "metrics.csv", ("step",)))
    else:
        with tracked(config, directory) as lightning:
            yield RunLogger(lightning)
