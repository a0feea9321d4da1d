"""What a job needs before it starts, as far as that can be seen without torch: tasks, flags and splits that its
benchmark has, packages that its model needs, a chat template that can write its conversations, a directory."""

import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

from bsft import config as cfg
from bsft.data.chat_format import ChatFormat
from bsft.data.conversation import Conversation, Exchange
from bsft.data.methods import method_of
from bsft.data.source import fingerprint, manifest_of
from bsft.launch.tokenizer_files import format_of
from bsft.model.content import check_own_adapter, has_own_adapter, model_content
from bsft.model.weights import check_installed
from bsft.records.errors import BadInput
from bsft.records.files import unused
from bsft.records.paths import cache_dir
from bsft.records.schema import TaskSpec
from bsft.records.store import open_benchmark
from bsft.runs import completeness
from bsft.runs.directory import RunDirectory
from bsft.runs.identity import identity


def check_job(job: cfg.Config, *, evaluated: bool = False) -> None:
    """
    Args:
        evaluated: it is only scored, with what an earlier job has fitted.

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
        cfg.one_of("data.tasks", task, sorted(names.tasks))
    if names.labels is not None:
        for flag in job.data.flags:
            cfg.one_of("data.flags", flag, sorted(names.labels))
    for key, split in _splits_used(job, evaluated).items():
        cfg.one_of(f"data.{key}", split, sorted(names.splits))
    check_installed(job.model)
    _check_template(job)
    qlora = isinstance(job.method, cfg.SftConfig) and job.method.tuning == "qlora"
    if qlora and importlib.util.find_spec("bitsandbytes") is None:
        raise cfg.ConfigError("method.tuning=qlora needs bitsandbytes: pip install 'bsft[qlora]'")
    if not isinstance(job.data, cfg.JsonlConfig) or job.model.source == "packaged":
        _check_writable(cache_dir())


def _splits_used(job: cfg.Config, evaluated: bool) -> dict[str, str]:
    """Setting -> split, of the splits that this job reads.

    Raises:
        ConfigError: its threshold would be chosen on what is scored.
    """
    used = {"eval_split": job.data.eval_split}
    if job.method.threshold == "validation":
        used["val_split"] = job.data.val_split
        if used["val_split"] == used["eval_split"]:
            raise cfg.ConfigError(
                f"data.eval_split={job.data.eval_split}: method.threshold=validation chooses the threshold on "
                "data.val_split; score another split than that"
            )
    if evaluated:
        return used
    if isinstance(job.method, cfg.SftConfig | cfg.FewShotConfig):
        used["train_split"] = job.data.train_split
    if isinstance(job.method, cfg.SftConfig) and job.trainer.fit.val_every_steps is not None:
        used["val_split"] = job.data.val_split
    return used


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

        return _stated(TASKS, SHARES)
    if isinstance(data, cfg.MedErrBenchConfig):
        from bsft.importing.mederrbench import SOURCE_FILES, TASK_NAMES

        return _Names(frozenset(TASK_NAMES), frozenset(SOURCE_FILES), None)
    assert isinstance(data, cfg.JsonlConfig)
    if (manifest := manifest_of(Path(data.path))) is not None:
        return _stated(manifest.tasks, manifest.files)
    return _names_of_items(Path(data.path), fingerprint(data))


def _stated(tasks: Iterable[TaskSpec], splits: Iterable[str]) -> _Names:
    labels = {task.name: task.labels for task in tasks}
    return _Names(frozenset(labels), frozenset(splits), frozenset(chain.from_iterable(labels.values())))


@cache
def _names_of_items(path: Path, fingerprint: str) -> _Names:
    """By the files' `fingerprint`, so that changed ones are read again."""
    benchmark = open_benchmark(path)
    return _Names(frozenset(benchmark.tasks), frozenset(benchmark.splits), frozenset(benchmark.index.label.values))


def _check_template(job: cfg.Config) -> None:
    """Raises `BadInput` where the model's chat template cannot write the conversations of the job's method."""
    method, where = method_of(job.method), f"model={job.model.name}: "
    try:
        if (chat := format_of(job.model)) is not None:
            _write_conversation(chat, method.system_prompt, method.n_exemplars, job.model.date)
    except BadInput as error:
        raise BadInput(where + str(error).removeprefix(where)) from None


@lru_cache
def _write_conversation(chat: ChatFormat, system_prompt: str, n_exchanges: int, date: str) -> None:
    """Once for all jobs that differ in nothing else. The texts of exchanges stand for exemplars, which nobody has read
    yet."""
    exchanges = [Exchange(f"Question {i}?", f"Reply {i}.") for i in range(n_exchanges)]
    Conversation(chat, system_prompt, exchanges, date=date)


def _check_writable(directory: Path) -> None:
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BadInput(f"the cache {directory} cannot be written to; set BSFT_CACHE to a directory that can")


# --- what lies in its directory before it starts: nothing yet, its frozen config, or that it is done ---


def is_done(job: cfg.Config, directory: RunDirectory | None = None) -> bool:
    """A job is done when its directory holds everything that it should *and* its recorded identity is this one's."""
    directory = directory or RunDirectory.of(job)
    return completeness.is_done(directory) and directory.frozen_identity() == identity(job)


def prepare(job: cfg.Config, directory: RunDirectory | None = None) -> None:
    """Freezes the job's config in its directory; `redo` starts it over.

    Raises:
        BadInput: the directory belongs to another configuration, is damaged, or cannot be written to.
    """
    directory = directory or RunDirectory.of(job)
    if job.redo and directory.path.exists():  # kept aside until the new run replaces them, and after it
        directory.path.rename(unused(directory.path.with_name(f".{directory.path.name}.old")))
    if (frozen := directory.frozen_identity()) is not None and frozen != identity(job):
        raise BadInput(
            f"{directory.path}: belongs to another configuration with the same name; use redo=true or another sweep"
        )
    directory.freeze(job)
    if directory.status().state != "running" or job.redo:
        directory.set_status("queued")


def check_and_prepare(job: cfg.Config) -> None:
    """Checks and prepares a job that was not known when the command was started; raises as the pre-flight does."""
    check_job(job)
    if job.redo or not is_done(job):
        prepare(job)
