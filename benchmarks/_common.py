"""What all benchmarks share: arguments, the job's configuration, the environment's description, and output."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import _baseline
from benchmarks._random_models import RANDOM_MODELS, random_weights
from bsft import config as cfg
from bsft import launch
from bsft.model.weights import converted

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed"}
_PACKAGES = ("torch", "transformers", "peft", "lightning", "trl", "lm_eval")
console = Console(width=None if sys.stdout.isatty() else 120)


def parser(description: str | None, *, repetitions: int) -> argparse.ArgumentParser:
    """An argument parser with what every benchmark takes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--model", default="smollm2_135m", help=f"a config in conf/model, or {', '.join(RANDOM_MODELS)}")
    made.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    made.add_argument("--dtype", default="bfloat16", choices=tuple(DTYPES), help="dtype of the frozen base")
    made.add_argument("--repetitions", type=int, default=repetitions, help="timed repetitions of each side")
    add_output(made)
    return made


def add_output(made: argparse.ArgumentParser) -> None:
    """Where a benchmark's figures go besides the terminal."""
    made.add_argument("--json", type=Path, help="where to write the figures")
    made.add_argument("--baseline", action="store_true", help="keep them in benchmarks/baselines/ for this processor")


def job(model: str, device: str, dtype: str, *overrides: str) -> cfg.Config:
    """The config of a bsft job on that model and device, as `bsft-train` would compose it."""
    if model in RANDOM_MODELS:
        chosen = [f"model={RANDOM_MODELS[model].like}", "model.source=local", f"model.path={random_weights(model)}"]
    else:
        chosen = [f"model={model}"]
    trainer = [f"trainer={'gpu' if device == 'cuda' else 'cpu'}", f"trainer.precision={_PRECISION[dtype]}"]
    return launch.plan([*chosen, *trainer, "logger=none", *overrides], multirun=False).jobs[0]


def weights_of(model: cfg.ModelConfig) -> str:
    """What transformers loads the same weights from."""
    return {"hub": model.id, "local": model.path}.get(model.source) or str(converted(model))


def environment(device: str) -> dict[str, Any]:
    """Versions, commit, processor, threads."""
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + ("-dirty" if _git("status", "--porcelain", "-uno") else ""),
        "device": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def progress(line: str) -> None:
    """Says on stderr what has just been measured."""
    print(f"  {line}", file=sys.stderr, flush=True)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table; the first column is text, the others are figures."""
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)


def write(arguments: argparse.Namespace, figures: dict[str, Any], baseline: Mapping[str, float]) -> None:
    """Writes what `--json` and `--baseline` ask for.

    Args:
        figures: everything that was measured, with the name of the `benchmark`.
        baseline: the ratios, seconds and MiB among them that a later run is held against.
    """
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        console.print(f"written to {arguments.json}")
    if arguments.baseline:
        chosen = [str(figures[name]) for name in ("benchmark", "shape", "model", "dtype") if name in figures]
        file = _baseline.keep(", ".join(chosen), baseline, environment(getattr(arguments, "device", "cpu")))
        console.print(f"baseline kept in {file}")


def mib(n_bytes: float) -> float:
    return n_bytes / 2**20


def of_sides(sides: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The figures of two sides' comparison that make a baseline."""
    return {
        f"{side['side']}, {name}": value
        for side in sides
        for name, value in (("s", median(side["seconds"])), ("peak MiB", mib(side["peak_bytes"])))
    }
