"""Where a run's numbers go while it runs: wandb (offline by default), a CSV file, or nowhere; always `train.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger

from bsft import config as cfg
from bsft.tracking import tracked

CURVES = "train.csv"
_COLUMNS = ("step", "loss", "lr", "val_macro_f1")


class RunLogger:
    """The loggers of one job."""

    def __init__(self, lightning: Logger | None) -> None:
        self.lightning = lightning

    def summarise(self, metrics: Mapping[str, Any]) -> None:
        """Logs the final metrics, once."""
        if self.lightning is not None:
            self.lightning.log_metrics(dict(_flat({k: v for k, v in metrics.items() if k != "naive"}, "test")))


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _flat(child, f"{prefix}/{key}")
    elif isinstance(value, int | float):
        yield prefix, float(value)


@contextmanager
def open_logger(config: cfg.Config, directory: Path) -> Iterator[RunLogger]:
    """Opens the job's logger and surely closes it."""
    if config.logger.name == "none":
        yield RunLogger(None)
    elif config.logger.name == "csv":
        yield RunLogger(CSVLogger(str(directory), name="csv", version=""))
    else:
        with tracked(config, directory) as lightning:
            yield RunLogger(lightning)


class CurveWriter:
    """Appends to `train.csv`; on resume the rows behind the resumed step are dropped."""

    def __init__(self, directory: Path, first_step: int) -> None:
        self._file = directory / CURVES
        kept: list[dict[str, str]] = []
        if first_step and self._file.exists():
            with self._file.open(newline="", encoding="utf-8") as stream:
                kept = [row for row in csv.DictReader(stream) if int(row["step"]) <= first_step]
        with self._file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, _COLUMNS)
            writer.writeheader()
            writer.writerows(kept)

    def write(self, **values: float) -> None:
        with self._file.open("a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, _COLUMNS).writerow(values)
