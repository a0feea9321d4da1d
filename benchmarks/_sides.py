"""Two sides, each in a process of its own, that take steps in turn.

A side's process runs the real training (or scoring) loop and stops at a *gate* between steps: there it reports the
step that it has just finished and waits until it is asked for the next. So both sides stay warm, their steps
alternate, nothing runs beside a timed step, and each process's memory is its own side's.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import torch


@dataclass(frozen=True)
class Report:
    """One finished step.

    Attributes:
        seconds: from the gate's opening to the next arrival at it: data, forward, backward, optimiser, logging.
        peak_bytes: the step's peak memory above what the process held with the model loaded, before its first step.
        values: what was computed: the loss of a training step, or log-likelihoods.
    """

    seconds: float
    peak_bytes: int
    values: list[float]


class Finished(Exception):
    """Raised at the gate when no more steps are wanted; ends the side's own loop."""


class Gate:
    """The side's end of the connection."""

    def __init__(self, connection: Connection, device: str) -> None:
        self._connection = connection
        self._cuda = device == "cuda"
        self._opened_at: float | None = None
        self._baseline_bytes = 0

    def pause(self, values: Sequence[float] = ()) -> None:
        """Reports the step just finished, if any, and waits to be let into the next.

        Raises:
            Finished: no further step is wanted.
        """
        if self._cuda:
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._opened_at is None:
            self._baseline_bytes = self._held_bytes()
            self._connection.send("ready")
        else:
            self._connection.send(Report(now - self._opened_at, self._peak_bytes(), list(values)))
        if not self._connection.recv():
            raise Finished
        self._reset_peak()
        self._opened_at = time.perf_counter()

    def _held_bytes(self) -> int:
        return torch.cuda.memory_allocated() if self._cuda else _status_bytes("VmRSS")

    def _peak_bytes(self) -> int:
        peak = torch.cuda.max_memory_allocated() if self._cuda else _status_bytes("VmHWM")
        return peak - self._baseline_bytes

    def _reset_peak(self) -> None:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets the peak resident size


def _status_bytes(field: str) -> int:
    """A size from Linux's /proc/self/status."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


Run = Callable[[Gate, Any], None]
"""Runs a task's loop, pausing at the gate before its first and after each step."""


class Side:
    """The benchmark's handle on one side's process. Tasks are given one after another."""

    def __init__(self, name: str, run: Run, device: str) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, run, device))
        self._process.start()
        theirs.close()
        self._running = False

    def start(self, task: object) -> None:
        """Begins a task; returns when its first step can be taken."""
        self._connection.send(task)
        self._receive()
        self._running = True

    def step(self) -> Report:
        self._connection.send(True)
        return cast(Report, self._receive())

    def finish(self) -> None:
        """Ends the task."""
        self._connection.send(False)
        self._receive()
        self._running = False

    def _receive(self) -> object:
        try:
            received = self._connection.recv()
        except EOFError:
            raise RuntimeError(f"{self.name}: its process ended early; its error is printed above") from None
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            if self._running:
                self.finish()
            self._connection.close()  # the process ends where it would have received its next task
        else:
            self._process.kill()  # a fitting process answers SIGTERM by finishing its step, which waits at the gate
        self._process.join()


def _serve(connection: Connection, run: Run, device: str) -> None:
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            run(Gate(connection, device), task)
        except Finished:
            connection.send("finished")


def alternate(sides: Sequence[Side], repetitions: int, on_step: Callable[[str], None]) -> dict[str, list[Report]]:
    """Timed steps of each side in turn, after one untimed step each."""
    for side in sides:
        on_step(f"{side.name}, untimed: {side.step().seconds:.2f} s")
    reports: dict[str, list[Report]] = {side.name: [] for side in sides}
    for _ in range(repetitions):
        for side in sides:
            reports[side.name].append(side.step())
            on_step(f"{side.name}: {reports[side.name][-1].seconds:.2f} s")
    return reports
