"""How fast the machine multiplies matrices while a benchmark runs: a side that takes its turn between the steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks._common import median
from benchmarks._sides import Gate, Report

_SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}
_SECONDS_PER_SIZE = 1.0
_LAUNCHED_AT_ONCE = {"cpu": 1, "cuda": 10}


@dataclass(frozen=True)
class GemmTask:
    device: str
    dtype: torch.dtype


def run_gemm(gate: Gate, task: GemmTask) -> None:
    """Reports, turn by turn, the FLOP/s of square products of each size over a second."""
    squares = [torch.randn(size, size, device=task.device).to(task.dtype) for size in _SIZES[task.device]]
    speeds: list[float] = []
    while True:
        gate.pause(speeds)
        speeds = [_sustained(square, task.device) for square in squares]


def _sustained(square: Tensor, device: str) -> float:
    n_products, start = 0, _now(device)
    while (seconds := _now(device) - start) < _SECONDS_PER_SIZE:
        for _ in range(_LAUNCHED_AT_ONCE[device]):
            torch.mm(square, square)
        n_products += _LAUNCHED_AT_ONCE[device]
    return 2.0 * len(square) ** 3 * n_products / seconds


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_flops(reports: Sequence[Report]) -> float:
    """FLOP/s of the fastest size, each size by the median of its turns."""
    return max(median(turns) for turns in zip(*(report.values for report in reports), strict=True))
