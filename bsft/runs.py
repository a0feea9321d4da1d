"""Run directories: what identifies a job, how its directory is named, and the files that say how it stands.

`multirun/<sweep>/<job>/` holds `config.yaml`, `status.json`, `run.log`, `env.json`, `metrics.json`,
`predictions.jsonl`, `scores/`, `checkpoints/`, `adapter/` and the logger's own folder. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, Field

from bsft import config as cfg
from bsft.bench.records import SCHEMA_VERSION
from bsft.bench.source import fingerprint as data_fingerprint
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically, write_json
from bsft.records.untrusted import Missing, read_json, read_record, read_yaml

State = Literal["queued", "running", "done", "failed"]
CONFIG, STATUS, METRICS, PREDICTIONS, LOG, ENV = (
    "config.yaml",
    "status.json",
    "metrics.json",
    "predictions.jsonl",
    "run.log",
    "env.json",
)

# libyaml's is ten times faster, which a sweep of 500 jobs feels
_YAML_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_IGNORED = {"logger", "sweep", "root", "redo", "dry_run"}
_IGNORED_TRAINER = {"name", "accelerator", "devices", "num_nodes", "strategy", "threads"}
_IGNORED_FIT = {"checkpoint_every_steps"}


def identity(config: cfg.Config) -> dict[str, Any]:
    """What determines a job's result, as plain containers: neither paths nor logger, devices or workers.

    The recipe of fitting is left out for methods that are not fitted, so that their runs are shared between recipes.
    """
    whole = {k: v for k, v in cfg.plain(config).items() if k not in _IGNORED}
    trainer = {k: v for k, v in whole["trainer"].items() if k not in _IGNORED_TRAINER}
    trainer["fit"] = {k: v for k, v in trainer["fit"].items() if k not in _IGNORED_FIT}
    if not isinstance(config.method, cfg.SftConfig):
        del trainer["fit"]
    whole["trainer"] = trainer
    whole["data"].pop("path", None)
    whole["data"]["sha256"] = data_fingerprint(config.data)
    whole["model"].pop("path", None)
    whole["model"]["weights"] = weights_fingerprint(config.model)
    whole["schema_version"] = SCHEMA_VERSION
    return whole


def weights_fingerprint(model: cfg.ModelConfig) -> str:
    """A fingerprint of a model's weights that costs no loading of them.

    Local weights are sampled: per file its name, size, and 64 evenly spaced blocks of 64 KiB.

    Raises:
        BadInput: a local directory is missing or has no safetensors.
    """
    if model.source == "packaged":
        return model.gguf_sha256 or f"{model.package}=={model.package_version}"
    if model.source != "local":
        return f"{model.id}@{model.revision or 'main'}"
    directory = Path(cast(str, model.path))
    if not directory.is_dir():
        raise BadInput(f"model.path={directory}: no such directory")
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise BadInput(f"model.path={directory}: no .safetensors file in it (other weight formats are not read)")
    digest = hashlib.sha256()
    for file in [directory / "config.json", *files]:
        if not file.exists():
            raise BadInput(f"{file}: no such file")
        digest.update(_sampled(str(file), file.stat().st_size, file.stat().st_mtime_ns))
    return digest.hexdigest()


@cache
def _sampled(file: str, size: int, mtime_ns: int) -> bytes:
    block, n_blocks = 1 << 16, 64
    digest = hashlib.sha256(f"{Path(file).name} {size}".encode())
    with Path(file).open("rb") as stream:
        for i in range(n_blocks):
            stream.seek(max(0, (size - block) * i // (n_blocks - 1)))
            digest.update(stream.read(block))
    return digest.digest()


def job_name(config: cfg.Config) -> str:
    """Readable and unique: `behavior_sft-smollm2_135m-s0-1f3a9c2e`."""
    digest = hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:8]
    return f"{config.method.name}-{config.model.name}-s{config.seed}-{digest}"


def register_resolver() -> None:
    """`${bsft.job:}` names the job of the config it stands in; Hydra uses it for the job's directory."""

    def resolve(*, _root_: DictConfig) -> str:
        return job_name(cfg.validate(_root_))

    OmegaConf.register_new_resolver("bsft.job", resolve, replace=True)


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


@dataclass(frozen=True)
class RunDirectory:
    """A job's directory. Every file in it is replaced atomically, so a reader never meets half a file."""

    path: Path

    @classmethod
    def of(cls, config: cfg.Config) -> RunDirectory:
        return cls(Path(config.root) / config.sweep / job_name(config))

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

    def set_status(self, state: State, reason: str | None = None, step: int | None = None) -> None:
        status = Status(state, reason, step, time.time(), os.getpid(), os.uname().nodename)
        write_json(self.path / STATUS, dataclasses.asdict(status))

    def freeze(self, config: cfg.Config) -> None:
        """Writes `config.yaml` (resolved, with the identity) before the job starts."""
        frozen = {"config": cfg.plain(config), "identity": identity(config)}
        write_atomically(self.path / CONFIG, yaml.dump(frozen, Dumper=_YAML_DUMPER, sort_keys=False))

    def frozen_identity(self) -> dict[str, Any] | None:
        """The identity that `config.yaml` recorded, or None when there is none yet.

        Raises:
            BadInput: `config.yaml` is damaged.
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

    Raises:
        BadInput: no such directory.
    """
    if not sweep.is_dir():
        raise BadInput(f"{sweep}: no such directory")
    if (sweep / CONFIG).exists():
        yield RunDirectory(sweep)
        return
    for path in sorted(sweep.iterdir()):
        if (path / CONFIG).exists() and not path.name.startswith("."):
            yield RunDirectory(path)
