"""What a job needs from outside its config, as far as that can be seen cheaply and without torch: tasks, flags and
splits that its benchmark has, and packages that its model needs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bsft import config as cfg
from bsft.data.source import fingerprint
from bsft.launch.templates import check_template
from bsft.model.own_adapter import check_own_adapter, has_own_adapter
from bsft.model.weights import check_installed
from bsft.records.errors import BadInput
from bsft.records.names import name_problem
from bsft.records.paths import cache_dir
from bsft.records.schema import Manifest, TaskSpec
from bsft.records.store import MANIFEST
from bsft.records.store.manifest import check_listing
from bsft.records.untrusted import parse_json, read_lines, read_record
from bsft.runs.identity import model_content


def check_job(job: cfg.Config) -> None:
    """
    Raises:
        ConfigError: a task, flag or split that the benchmark does not have, or a package that is not installed.
        BadInput: a file that is missing, a commit that cannot be known, an adapter that fitting would replace, a chat
            template that does not work, or a cache that cannot be written to.
    """
    if has_own_adapter(job.model):
        check_own_adapter(job.model, fitted=isinstance(job.method, cfg.SftConfig))
    model_content(job.model)  # the files first, of the model before the data's, which take longer
    fingerprint(job.data)
    names = _names(job.data)
    for task in job.data.tasks:
        _one_of("data.tasks", task, names.tasks)
    if names.labels is not None:
        for flag in job.data.flags:
            _one_of("data.flags", flag, names.labels)
    for key, split in _splits_used(job).items():
        _one_of(f"data.{key}", split, names.splits)
    check_installed(job.model)
    check_template(job)
    if isinstance(job.method, cfg.SftConfig) and job.method.tuning == "qlora":
        _check_bitsandbytes()
    if not isinstance(job.data, cfg.JsonlConfig) or job.model.source == "packaged":
        _check_writable(cache_dir())


def _one_of(key: str, found: str, allowed: Iterable[str]) -> None:
    known = sorted(allowed)
    if found not in known:
        raise cfg.ConfigError(f"{key}: unknown {found}{cfg.did_you_mean(found, known)} (allowed: {', '.join(known)})")


def _splits_used(job: cfg.Config) -> dict[str, str]:
    """Setting -> split, of the splits that this job reads."""
    used = {"eval_split": job.data.eval_split}
    if isinstance(job.method, cfg.SftConfig | cfg.FewShotConfig):
        used["train_split"] = job.data.train_split
    if isinstance(job.method, cfg.SftConfig) and job.trainer.fit.val_every_steps is not None:
        used["val_split"] = job.data.val_split
    return used


# --- what a benchmark has ---


@dataclass(frozen=True)
class _Names:
    """`labels` are None where only reading the texts would tell."""

    tasks: frozenset[str]
    splits: frozenset[str]
    labels: frozenset[str] | None


def _names(data: cfg.DataConfig) -> _Names:
    if isinstance(data, cfg.OpenBenchConfig):
        from bsft.bench.splits import SHARES
        from bsft.bench.tasks import TASKS

        return _Names(frozenset(task.name for task in TASKS), frozenset(SHARES), _labels(TASKS))
    if isinstance(data, cfg.MedErrBenchConfig):
        from bsft.importing.mederrbench import SOURCE_FILES, TASK_NAMES

        return _Names(frozenset(TASK_NAMES), frozenset(SOURCE_FILES), None)
    assert isinstance(data, cfg.JsonlConfig)
    path = Path(data.path)
    manifest = path / MANIFEST
    if manifest.is_file():
        return _manifest_names(manifest, manifest.stat().st_mtime_ns)
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    found = [_file_names(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _Names(
        frozenset().union(*(names.tasks for names in found)),
        frozenset().union(*(names.splits for names in found)),
        frozenset().union(*(names.labels or () for names in found)),
    )


def _labels(tasks: Iterable[TaskSpec]) -> frozenset[str]:
    return frozenset(label for task in tasks for label in task.labels)


@cache
def _manifest_names(file: Path, mtime_ns: int) -> _Names:
    manifest = read_record(Manifest, file)
    check_listing(manifest, file)
    return _Names(frozenset(task.name for task in manifest.tasks), frozenset(manifest.files), _labels(manifest.tasks))


@cache
def _file_names(file: Path, size: int, mtime_ns: int) -> _Names:
    """Tasks, splits and labels of a file of items; their other fields are left to the reader.

    Raises:
        BadInput: a line is no JSON object, one of these three is missing or no text, or a split's name cannot be a
            file's.
    """
    found: dict[str, set[str]] = {"task": set(), "split": set(), "label": set()}
    for number, _, raw in read_lines(file):
        place = f"{file}: line {number}"
        record = parse_json(raw, place)
        for name, values in found.items():
            value = record.get(name) if isinstance(record, dict) else None
            if not isinstance(value, str) or not value:
                raise BadInput(f"{place}: field {name}: found {str(value)[:60]!r}, allowed: a text that is not empty")
            values.add(value)
    if not found["task"]:
        raise BadInput(f"{file}: the file has no items")
    for split in sorted(found["split"]):
        if problem := name_problem(split):
            raise BadInput(f"{file}: field split: {problem}")
    return _Names(frozenset(found["task"]), frozenset(found["split"]), frozenset(found["label"]))


# --- what a job needs besides ---


def _check_bitsandbytes() -> None:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise cfg.ConfigError("method.tuning=qlora needs bitsandbytes: pip install 'bsft[qlora]'")


def _check_writable(directory: Path) -> None:
    there = directory
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BadInput(f"the cache {directory} cannot be written to; set BSFT_CACHE to a directory that can")
