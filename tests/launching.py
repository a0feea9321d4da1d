"""The command line in tests: `bsft-train` whose jobs do nothing but say that they ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from bsft import config as cfg
from bsft import launch
from bsft.records.files import write_atomically, write_json
from bsft.runs.completeness import seal_adapter, set_done
from bsft.runs.directory import METRICS, PREDICTIONS, RunDirectory


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, what it printed, the names of the jobs that ran."""

    code: int
    out: str
    err: str
    ran: list[str]


Train = Callable[..., Ended]


Launch = Callable[..., Ended]


def launch_without_work(arguments: list[str], small: Path, root: Path) -> tuple[int, list[str]]:
    """Runs the command on the small benchmark with the tiny model; a job of seed 13 fails.

    Returns:
        Exit status, names of the jobs that ran.
    """
    ran: list[str] = []

    def task(composed: DictConfig) -> None:
        config = cfg.validate(composed)
        directory = RunDirectory.of(config)
        ran.append(directory.path.name)
        if config.seed == 13:
            directory.set_status("failed", "thirteen")
        else:
            write_json(directory.path / METRICS, {"overall": {"macro_f1": 0.5}})
            write_atomically(directory.path / PREDICTIONS, "{}\n")
            if isinstance(config.method, cfg.SftConfig):
                (directory.adapter).mkdir(exist_ok=True)
                write_atomically(directory.adapter / "weights", "trained")
                seal_adapter(directory.adapter, fit_s=1.0)
            set_done(directory)

    defaults = ["data=behaviorbench_jsonl", f"data.path={small}", "model=tiny", "logger=none", f"root={root}"]
    return launch.main(task, [*defaults, *arguments]), ran
