"""How long `bsft-train` takes to answer what needs no model: help, the config, errors, and the plan of a sweep.

    python -m benchmarks.command_line --repeats 5 --json command_line.json

Each command is a process of its own; the first run of each fills the file cache and is not counted. Printed are the
median and the slowest, in seconds of wall clock: run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from benchmarks import _common as common

COMMANDS: dict[str, tuple[int, list[str]]] = {
    "help": (0, ["--help"]),
    "printed config": (0, ["--cfg", "job", "--resolve"]),
    "misspelt key": (2, ["method.lora.rnak=8"]),
    "added key": (2, ["+typo=3"]),
    "wrong type": (2, ["seed=abc"]),
    "contradiction": (2, ["method.tuning=qlora"]),
    "unknown option": (2, ["method=behaviour_sft"]),
    "missing data": (2, ["data=mederrbench", "data.path=nowhere"]),
    "unknown task": (2, ["data.tasks=[ddx]"]),
    "missing model": (2, ["model.source=local", "model.path=nowhere"]),
    "plan of one job": (0, ["model=tiny", "dry_run=true"]),
    "plan of 500 jobs": (0, ["-m", "model=tiny", "method=baseline,behavior_sft", "seed=range(250)", "dry_run=true"]),
}
"""What is asked -> exit status, arguments."""


@dataclass(frozen=True)
class Timing:
    asked: str
    arguments: list[str]
    seconds: list[float]

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def measure(asked: str, repeats: int, directory: Path) -> Timing:
    """Runs a command `repeats` + 1 times in an empty directory.

    Raises:
        SystemExit: it ended with another status than it should.
    """
    status, arguments = COMMANDS[asked]
    program = shutil.which("bsft-train", path=str(Path(sys.executable).parent))
    if program is None:
        raise SystemExit("bsft-train is not installed beside this Python")
    seconds: list[float] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        done = subprocess.run([program, *arguments], cwd=directory, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode != status:
            raise SystemExit(f"bsft-train {' '.join(arguments)}: exit status {done.returncode}, not {status}")
    return Timing(asked, arguments, seconds[1:])


def table_of(timings: list[Timing]) -> Table:
    table = Table(title="bsft-train, seconds until it has answered")
    table.add_column("asked")
    table.add_column("arguments", overflow="fold")
    table.add_column("median", justify="right")
    table.add_column("slowest", justify="right")
    for timing in timings:
        numbers = f"{timing.median_s:.2f}", f"{max(timing.seconds):.2f}"
        table.add_row(timing.asked, escape(" ".join(timing.arguments)), *numbers)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    common.add_output(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        timings = [measure(asked, options.repeats, Path(directory)) for asked in COMMANDS]
    common.console.print(table_of(timings))
    figures = {"benchmark": "command_line", "timings": [asdict(timing) for timing in timings]}
    common.write(options, figures, {f"{timing.asked}, s": timing.median_s for timing in timings})


if __name__ == "__main__":
    main()
