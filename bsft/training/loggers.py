"""Where a run's numbers go while it runs: wandb (offline by default), a CSV file, or nowhere; always `train.csv`.

Whatever wandb does, its runs are closed, and none ever stops a training.
"""

import csv
import io
import logging
import netrc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from bsft import config as cfg
from bsft.display.console import print_error
from bsft.records.errors import BadInput
from bsft.records.files import replacing, to_disk
from bsft.records.secrets import masked, masked_arguments, masked_tree

log = logging.getLogger(__name__)
SUMMARY = "test"
"""Columns that begin with this and a slash are those of the summary, the last row."""
MAX_ID_CHARACTERS = 128
"""The server's limit for ids and names of runs."""
_MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
"""What WANDB_MODE may be, with its older names, as one of ours."""


class Rows:
    """A CSV file that grows by rows while a fit goes on, and is cut back to a checkpoint's rows when it resumes.

    It has the given columns, then any others that rows have, by name. Nothing is written before the first row.

    What two processes with the same rows write is the same, byte by byte, however often one was interrupted.
    """

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self.file = file
        self._first = tuple(columns)
        self._columns = tuple(columns)
        self._n_rows = 0

    def cut(self, n_rows: int) -> None:
        """Keeps the first rows and drops those after them: they belong to steps that are done again."""
        kept = self._read()[:n_rows]
        if len(kept) < n_rows:
            log.warning("%s: %d of %d earlier rows are gone", self.file, n_rows - len(kept), n_rows)
        self._rewrite(kept)

    def append(self, row: Mapping[str, float]) -> None:
        """Raises `OSError` where the file cannot be written to."""
        if not self._n_rows or not row.keys() <= set(self._columns):
            self._rewrite([*self._read()[: self._n_rows], row])
            return
        with self.file.open("a", newline="", encoding="utf-8") as stream:
            stream.write(self._text([row]))
        self._n_rows += 1

    def to_disk(self) -> int:
        """Waits until all rows are on the disk, and says how many there are."""
        if self._n_rows:
            to_disk(self.file)
        return self._n_rows

    def replace_summary(self, row: Mapping[str, float]) -> None:
        """Puts the summary after all other rows, in the place of an earlier one."""
        others = [kept for kept in self._read() if not any(name.startswith(f"{SUMMARY}/") for name in kept)]
        self._rewrite([*others, row])

    def _read(self) -> list[dict[str, str]]:
        """The cells of all rows that are not empty."""
        try:
            with self.file.open(newline="", encoding="utf-8", errors="replace") as stream:
                rows = csv.DictReader(stream)
                return [{name: value for name, value in row.items() if name and value} for row in rows]
        except FileNotFoundError:
            return []
        except (csv.Error, OSError) as error:
            raise BadInput(f"{self.file}: damaged ({error}); delete it and run the command again") from None

    def _rewrite(self, rows: Sequence[Mapping[str, str | float]]) -> None:
        others = {name for row in rows for name in row} - set(self._first)
        self._columns = (*self._first, *sorted(others))
        with replacing(self.file) as scratch:
            scratch.write_text(self._text(rows, header=True), encoding="utf-8", newline="")
        self._n_rows = len(rows)

    def _text(self, rows: Iterable[Mapping[str, str | float]], *, header: bool = False) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns)
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


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


def target_of(config: cfg.LoggerConfig, directory: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Where the run of a job in `directory` goes, in the words of `wandb.init`: what the config says, else what the
    environment says (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR), else our defaults."""
    said = environment.get("WANDB_MODE", "").lower()
    if said and said not in _MODES and config.mode is None:
        _say(f"WANDB_MODE={said}: allowed are online, offline and disabled; taken as offline")
    return {
        "mode": config.mode or _MODES.get(said, "offline"),
        "project": config.project or environment.get("WANDB_PROJECT") or "bsft",
        "entity": config.entity or environment.get("WANDB_ENTITY") or None,
        "dir": environment.get("WANDB_DIR") or str(directory),
    }


@contextmanager
def tracked(config: cfg.Config, directory: Path) -> Iterator[WandbLogger | None]:
    """The logger of one job's run, which is surely closed: wandb would give the next job of a sweep this one's."""
    target = target_of(config.logger, directory, os.environ)
    if target["mode"] == "disabled":
        yield None
        return
    import wandb

    first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    run = _start(config, directory, target) if first else None
    if run is None and first:
        yield None
        return
    try:
        yield WandbLogger(experiment=run, save_dir=target["dir"], project=target["project"], id=_id(directory))
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()


def _start(config: cfg.Config, directory: Path, target: dict[str, Any]) -> Any:
    """The run, offline where online is not possible; None where wandb does not start at all."""
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True))
    modes = ["offline"] if target["mode"] == "offline" else ["online", "offline"]
    if target["mode"] == "online" and not _has_credentials():
        _say("logger.mode=online: no key of wandb's is configured (wandb login); this run is kept offline")
        modes.remove("online")
    for mode in modes:
        try:
            Path(target["dir"]).mkdir(parents=True, exist_ok=True)
            with _masked_command():
                run = wandb.init(**{**_arguments(config, directory), **target, "mode": mode})
            run.define_metric("trainer/global_step")
            run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
            return run
        except Exception as error:  # whatever wandb raises, the training goes on
            reason = " ".join(masked(str(error)).split())[:200]
            kept = "this run is kept offline" if mode == "online" else "this run goes on without it"
            _say(f"wandb did not start {mode} ({reason}); {kept}")
    return None


@contextmanager
def _masked_command() -> Iterator[None]:
    """wandb writes down the command line as it finds it."""
    own = sys.argv[:]
    sys.argv[:] = masked_arguments(own)
    try:
        yield
    finally:
        sys.argv[:] = own


def _arguments(config: cfg.Config, directory: Path) -> dict[str, Any]:
    """One run per job: id = job name, group = sweep."""
    import wandb

    return {
        "id": _id(directory),
        "name": f"{config.method.name}-{config.model.name}-{config.data.name}-s{config.seed}"[:MAX_ID_CHARACTERS],
        "group": config.sweep,
        "tags": [config.method.name, config.model.name, config.data.name],
        "config": masked_tree(cfg.plain(config)),
        "resume": "allow",
        "settings": wandb.Settings(silent=True, console="off"),
    }


def _id(directory: Path) -> str:
    return directory.name[-MAX_ID_CHARACTERS:]


def _has_credentials() -> bool:
    """Whether wandb could log in without asking anybody."""
    import wandb

    settings = wandb.setup().settings
    if settings.api_key or os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(settings.base_url).hostname or ""
    with suppress(OSError, netrc.NetrcParseError):  # no such file, or not one that says anything
        return netrc.netrc(os.environ.get("NETRC") or str(Path.home() / ".netrc")).authenticators(host) is not None
    return False


def _say(sentence: str) -> None:
    log.warning("%s", sentence)
    print_error(f"bsft-train: {sentence}")
