"""A sweep as it lies on disk: the state of every job and of its further evaluations, the results and learning curves of
those that are done."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bsft.records.errors import BadInput
from bsft.records.untrusted import Missing, Table, read_record, read_table
from bsft.runs.completeness import flaw_of_done
from bsft.runs.directory import CONFIG, METRICS, RunDirectory, State, Status, damaged, run_directories
from bsft.scoring.result import Result

CURVE = "train.csv"
_REPAIR = "the command that made the run makes what is missing again"
_STEP = re.compile(r"[0-9]{1,15}")
Read = TypeVar("Read")


@dataclass(frozen=True)
class JobState:
    """A job's state, as a reader sees it: `interrupted` is a running job whose process is gone."""

    run: RunDirectory
    state: State | Literal["interrupted", "damaged"]
    reason: str | None = None
    step: int | None = None
    updated_unix_s: float | None = None

    @property
    def name(self) -> str:
        return self.run.name


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
    unfinished: list[JobState] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.resolve().name


def job_state(run: RunDirectory) -> JobState:
    """A job's state. Damaged files are a state too, so that they do not hide the job, nor the other jobs."""
    try:
        status = run.status()
        flaw = f"{run.path / CONFIG}: no such file" if run.frozen_identity() is None else None
        if flaw is None and status.state == "done":
            flaw = flaw_of_done(run)
    except BadInput as error:
        return JobState(run, "damaged", str(error))
    state: State | Literal["interrupted", "damaged"] = status.state
    reason = status.reason
    if flaw is not None:
        state, reason = "damaged", f"{flaw}; {_REPAIR}"
    elif status.state == "running" and _process_is_gone(status):
        state, reason = "interrupted", "run the same command again to resume"
    return JobState(run, state, reason, status.step, status.updated_unix_s or None)


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


def read_sweep(path: Path) -> Sweep:
    """Reads everything that a report needs.

    Raises:
        BadInput: no such directory, no job in it, or none that is done.
    """
    sweep = Sweep(path)
    for run in (found for own in run_directories(path) for found in (own, *own.evaluations())):
        found = job_state(run)
        if found.state == "done":
            try:
                sweep.jobs.append(read_job(run, sweep.problems))
                continue
            except BadInput as error:
                found = JobState(run, "damaged", str(error), found.step, found.updated_unix_s)
        sweep.unfinished.append(found)
        if found.state == "damaged":
            sweep.problems.append(str(found.reason))
    if not sweep.jobs:
        raise BadInput(_why_nothing(sweep))
    return sweep


def _why_nothing(sweep: Sweep) -> str:
    if sweep.problems:
        return "; ".join(sweep.problems)
    if not sweep.unfinished:
        return f"{sweep.path}: no job in this directory; give a sweep's directory, such as multirun/demo"
    states = [job.state for job in sweep.unfinished]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"{sweep.path}: no job is done yet ({counts}); bsft status {sweep.path} says more"


def read_job(run: RunDirectory, problems: list[str]) -> Job:
    """A finished job or evaluation; a learning curve that cannot be read goes to `problems` and costs nothing else.

    Raises:
        BadInput: its results or its configuration cannot be read.
    """
    result = read_record(Result, run.path / METRICS)
    identity = run.frozen_identity()
    if identity is None:
        raise BadInput(f"{run.path / CONFIG}: no such file")
    curve = None
    try:
        curve = read_curve(run.path / CURVE)
    except BadInput as error:
        problems.append(str(error))
    return Job(run.name, result, flatten(identity), curve)


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
        BadInput: the file is damaged: no such column, or a cell is not a finite number; names the row.
    """
    try:
        table = read_table(file, ("step", "loss", "val_macro_f1"))
        loss, val_macro_f1 = (_points(table, column) for column in ("loss", "val_macro_f1"))
    except Missing:
        return None
    except BadInput as error:
        raise BadInput(damaged(file, error)) from None
    return Curve(loss, val_macro_f1) if loss or val_macro_f1 else None


def _points(table: Table, column: str) -> tuple[tuple[int, float], ...]:
    points = []
    for number, row in table.rows:
        if not row[column]:
            continue
        if not _STEP.fullmatch(row["step"]):
            raise BadInput(f"row {number}: field step: found {row['step'][:60]!r}, allowed: a number of steps")
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise BadInput(f"row {number}: field {column}: found {row[column][:60]!r}, allowed: a finite number")
        points.append((int(row["step"]), value))
    return tuple(points)
