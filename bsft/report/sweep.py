"""A sweep as it lies on disk: how every job stands, and the results and learning curves of those that are done."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bsft.bench.store import BadInput
from bsft.report.result import read_result
from bsft.runs import METRICS, RunDirectory, State, Status, run_directories
from bsft.scoring.result import Result

CURVE = "train.csv"
Read = TypeVar("Read")


@dataclass(frozen=True)
class Standing:
    """How a job stands, as a reader sees it: `interrupted` is a running job whose process is gone."""

    run: RunDirectory
    state: State | Literal["interrupted", "damaged"]
    reason: str | None = None
    step: int | None = None
    updated_unix_s: float | None = None

    @property
    def name(self) -> str:
        return self.run.path.name


@dataclass(frozen=True)
class Curve:
    """What was logged while a run was fitted: (step, value) pairs."""

    loss: tuple[tuple[int, float], ...]
    val_macro_f1: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Job:
    """A finished job. `settings` is its identity with dotted keys."""

    name: str
    result: Result
    settings: Mapping[str, Any]
    curve: Curve | None = None

    @property
    def fitted(self) -> bool:
        return "method.tuning" in self.settings


@dataclass
class Sweep:
    """A sweep's finished jobs, the others, and one sentence for each file that could not be read."""

    path: Path
    jobs: list[Job] = field(default_factory=list)
    unfinished: list[Standing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.resolve().name


def standing(run: RunDirectory) -> Standing:
    """A job's state; a damaged `status.json` is a state too, so that one file does not hide the other jobs."""
    try:
        status = run.status()
    except BadInput as error:
        return Standing(run, "damaged", str(error))
    updated = status.updated_unix_s or None
    if status.state == "running" and _process_is_gone(status):
        reason = "run the same command again to resume"
        return Standing(run, "interrupted", reason, status.step, updated)
    return Standing(run, status.state, status.reason, status.step, updated)


def _process_is_gone(status: Status) -> bool:
    """Only this host's processes can be asked after."""
    if status.pid is None or status.host != os.uname().nodename:
        return False
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def visible_runs(sweep: Path) -> Iterator[RunDirectory]:
    """The sweep's run directories without those that `redo=true` moved aside (their names begin with a dot)."""
    return (run for run in run_directories(sweep) if not run.path.name.startswith("."))


def read_sweep(path: Path) -> Sweep:
    """Reads everything that a report needs.

    Raises:
        BadInput: no such directory, no job in it, or none that is done.
    """
    sweep = Sweep(path)
    for run in visible_runs(path):
        stands = standing(run)
        if stands.state != "done":
            sweep.unfinished.append(stands)
            if stands.state == "damaged":
                sweep.problems.append(str(stands.reason))
        elif (job := _read_job(run, sweep.problems)) is not None:
            sweep.jobs.append(job)
    if not sweep.jobs:
        raise BadInput(_why_nothing(sweep))
    return sweep


def _why_nothing(sweep: Sweep) -> str:
    if sweep.problems:
        return "; ".join(sweep.problems)
    if not sweep.unfinished:
        return f"{sweep.path}: no job in this directory; give a sweep's directory, such as multirun/demo"
    states = [stands.state for stands in sweep.unfinished]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"{sweep.path}: no job is done yet ({counts}); bsft status {sweep.path} says more"


def _read_job(run: RunDirectory, problems: list[str]) -> Job | None:
    """A finished job; what cannot be read goes to `problems`, and only results are indispensable."""

    def attempt(read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except BadInput as error:
            problems.append(str(error))
            return None

    result = attempt(lambda: read_result(run.path / METRICS))
    identity = attempt(run.frozen_identity)
    curve = attempt(lambda: read_curve(run.path / CURVE))
    if result is None or identity is None:
        return None
    return Job(run.path.name, result, flatten(identity), curve)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_curve(file: Path) -> Curve | None:
    """The learning curve in `train.csv`; None when nothing was fitted. Empty cells are skipped.

    Raises:
        BadInput: the file has no such columns or a cell is not a number.
    """
    loss: list[tuple[int, float]] = []
    val_macro_f1: list[tuple[int, float]] = []
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                for column, points in (("loss", loss), ("val_macro_f1", val_macro_f1)):
                    if row[column]:
                        points.append((int(row["step"]), float(row[column])))
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise BadInput(f"{file}: column {error.args[0]} is missing") from None
    except (ValueError, TypeError, csv.Error) as error:
        raise BadInput(f"{file}: damaged ({error})") from None
    return Curve(tuple(loss), tuple(val_macro_f1)) if loss or val_macro_f1 else None
