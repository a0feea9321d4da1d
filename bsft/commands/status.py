"""`bsft status`: how the jobs of one or more sweeps stand."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from bsft.commands.options import Json, UserPath, write_json
from bsft.display.console import console_for
from bsft.display.table import Cell, Column, Table
from bsft.records.errors import BadInput
from bsft.report.sweep import JobState, job_state
from bsft.report.tables import STATE_TONES
from bsft.runs.directory import run_directories

ROOT = Path("multirun")


def status(*sweeps: UserPath, json: Json = False) -> int:
    """Shows how the jobs of one or more sweeps stand.

    A running job whose process is gone on this host is shown as interrupted. Exit status 1 when a job has failed.

    Args:
        sweeps: directories of sweeps, multirun/SWEEP; all in multirun/ without any.

    Raises:
        BadInput: no such directory.
    """
    sweeps = sweeps or _all_sweeps()
    found = [(sweep, job_state(run)) for sweep in sweeps for run in run_directories(sweep)]
    now_unix_s = time.time()
    if json:
        write_json([_as_json(sweep, stands, now_unix_s) for sweep, stands in found])
    else:
        _print(found, now_unix_s, sweeps)
    states = {stands.state for _, stands in found}
    if damaged := [stands for _, stands in found if stands.state == "damaged"]:
        raise BadInput("; ".join(str(stands.reason) for stands in damaged))
    return 1 if "failed" in states else 0


def _all_sweeps() -> tuple[Path, ...]:
    if not ROOT.is_dir():
        raise BadInput(f"{ROOT}: no such directory here; give a sweep's directory")
    return tuple(sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _as_json(sweep: Path, stands: JobState, now_unix_s: float) -> dict[str, Any]:
    updated = stands.updated_unix_s
    return {
        "sweep": sweep.resolve().name,
        "job": stands.name,
        "path": str(stands.run.path),
        "state": stands.state,
        "step": stands.step,
        "updated_unix_s": updated,
        "age_s": None if updated is None else round(now_unix_s - updated, 1),
        "reason": stands.reason,
    }


def _print(found: Sequence[tuple[Path, JobState]], now_unix_s: float, sweeps: Sequence[Path]) -> None:
    console = console_for(sys.stdout)
    if not found:
        console.print(Text(f"no jobs in {', '.join(map(str, sweeps)) or ROOT}"))
        return
    for sweep in dict.fromkeys(sweep for sweep, _ in found):
        own = [stands for path, stands in found if path == sweep]
        console.print(_table(str(sweep), own, now_unix_s).rich())


def _table(title: str, jobs: Sequence[JobState], now_unix_s: float) -> Table:
    states = [job.state for job in jobs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATE_TONES if state in states)
    rows = [
        [
            Cell(job.name),
            Cell(job.state, tone=STATE_TONES[job.state]),
            Cell("" if job.step is None else f"{job.step:,}"),
            Cell("" if job.updated_unix_s is None else age(now_unix_s - job.updated_unix_s)),
            Cell(job.reason or ""),
        ]
        for job in jobs
    ]
    columns = [Column("job"), Column("state"), Column("step", "number"), Column("age", "number"), Column("reason")]
    return Table(f"{title}: {counts}", columns, rows)


def age(seconds: float) -> str:
    """A rough age: `40 s`, `12 min`, `5 h`, `3 d`."""
    for unit, length_s, limit_s in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < limit_s:
            return f"{max(0, int(seconds // length_s))} {unit}"
    return f"{int(seconds // 86400)} d"
