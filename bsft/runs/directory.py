"""Run directories: the files that say what a job is and how it stands.

`multirun/<sweep>/<job>/` holds `config.yaml`, `status.json`, `run.log`, `env.json`, `metrics.json`,
`predictions.jsonl`, `scores/`, `checkpoints/`, `adapter/` and the logger's own folder. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from omegaconf import DictConfig
from pydantic import ConfigDict, Field

from bsft import config as cfg
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically, write_json
from bsft.records.secrets import masked_tree
from bsft.records.untrusted import Missing, read_json, read_record, read_yaml
from bsft.runs.identity import identity, job_name

State = Literal["queued", "running", "done", "failed"]
CONFIG, STATUS, LOG, ENV = "config.yaml", "status.json", "run.log", "env.json"
METRICS, PREDICTIONS = "metrics.json", "predictions.jsonl"
ADAPTER, SCORES = "adapter", "scores"
_OF_A_RUN = (CONFIG, STATUS, METRICS, PREDICTIONS, LOG, ENV, ADAPTER, "checkpoints", SCORES)

# libyaml's is ten times faster, which a sweep of 500 jobs feels
_YAML_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class Status:
    """What `status.json` says; the limits are those of what can be meant."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    state: State
    reason: str | None = None
    step: Annotated[int, Field(strict=True, ge=0, le=2**53)] | None = None
    updated_unix_s: Annotated[float, Field(strict=True, ge=0, le=2**40)] = 0.0
    pid: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] | None = None
    host: str | None = None
    results: object = None
    """Of a run that is done: the seals of its results."""


@dataclass(frozen=True)
class RunDirectory:
    """A job's directory, or that of a further evaluation of a run, which uses the run's adapter and is a job otherwise.
    Every file in it is replaced atomically, so a reader never meets half a file.

    Attributes:
        owner: the directory of the run that is evaluated; None: this is the run.
    """

    path: Path
    owner: Path | None = None

    @classmethod
    def of(cls, config: cfg.Config) -> RunDirectory:
        return cls(Path(config.root) / config.sweep / job_name(config))

    @property
    def name(self) -> str:
        return self.path.name if self.owner is None else f"{self.owner.name}/{SCORES}/{self.path.name}"

    @property
    def adapter(self) -> Path:
        return (self.owner or self.path) / ADAPTER

    def evaluation(self, name: str) -> RunDirectory:
        return RunDirectory(self.path / SCORES / name, owner=self.path)

    def evaluations(self) -> Iterator[RunDirectory]:
        """What the run was scored on later, by name; the copy of its own scores has no config."""
        names = sorted(file.parent.name for file in (self.path / SCORES).glob(f"*/{CONFIG}"))
        return (self.evaluation(name) for name in names if not name.startswith("."))

    def status(self) -> Status:
        """The job's state; a missing file means queued.

        Raises:
            BadInput: `status.json` is damaged.
        """
        file = self.path / STATUS
        try:
            return read_record(Status, file)
        except Missing:
            return Status("queued")
        except BadInput as error:
            raise BadInput(f"{damaged(file, error)}; delete it and run the command again") from None

    def set_status(
        self,
        state: State,
        reason: str | None = None,
        step: int | None = None,
        results: dict[str, Any] | None = None,
    ) -> None:
        status = Status(state, reason, step, time.time(), os.getpid(), os.uname().nodename, results)
        # a job that runs says so at every step: that need not wait for the disk
        write_json(self.path / STATUS, dataclasses.asdict(status), durable=state in ("done", "failed"))

    def freeze(self, config: cfg.Config) -> None:
        """Writes `config.yaml` (resolved, with the identity) before the job starts."""
        frozen = {"config": masked_tree(cfg.plain(config)), "identity": identity(config)}
        # not waiting for the disk: a sweep freezes hundreds before anything is at stake
        write_atomically(self.path / CONFIG, yaml.dump(frozen, Dumper=_YAML_DUMPER, sort_keys=False), durable=False)

    def frozen_config(self) -> DictConfig:
        """The config that `config.yaml` recorded, composed again.

        Raises:
            BadInput: there is none, or it is damaged, or of an earlier version.
        """
        file = self.path / CONFIG
        try:
            return cfg.recomposed(read_yaml(file)["config"])
        except (KeyError, cfg.ConfigError) as error:
            raise BadInput(f"{file}: field config: {error}") from None

    def frozen_identity(self) -> dict[str, Any] | None:
        """The identity that `config.yaml` recorded, or None when there is none yet.

        Raises:
            BadInput: the file is damaged, or its identity is empty.
        """
        file = self.path / CONFIG
        try:
            found = read_yaml(file).get("identity")
            if not isinstance(found, dict) or not found or not all(isinstance(key, str) for key in found):
                raise BadInput(f"field identity: found {str(found)[:60]!r}, allowed: a mapping of settings")
        except Missing:
            return None
        except BadInput as error:
            raise BadInput(f"{damaged(file, error)}; delete {self.path} or use redo=true") from None
        return found

    def metrics(self) -> dict[str, Any]:
        return read_json(self.path / METRICS)


def damaged(file: Path, error: BadInput) -> str:
    """That one of a job's own files is damaged, and how."""
    return f"{file}: damaged ({str(error).removeprefix(f'{file}: ')})"


def run_directories(sweep: Path) -> Iterator[RunDirectory]:
    """The run directories below a sweep (or the one that `sweep` itself is), by name; not those that were moved aside.

    Whatever holds one of a run's files is one, so that a run that lost others is not overlooked.

    Raises:
        BadInput: no such directory.
    """
    if not sweep.is_dir():
        raise BadInput(f"{sweep}: no such directory")
    if any((sweep / name).exists() for name in (CONFIG, STATUS)):
        yield RunDirectory(sweep)
        return
    for path in sorted(sweep.iterdir()):
        if not path.name.startswith(".") and any((path / name).exists() for name in _OF_A_RUN):
            yield RunDirectory(path)
