"""The command `bsft-train`: pre-flight, then Hydra, then what became of the jobs."""

import argparse
import contextlib
import io
import os
import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
import yaml
from hydra.conf import HydraConf
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bsft import config as cfg
from bsft.display.console import SafeConsole, print_error
from bsft.display.table import Cell, Column, Table
from bsft.launch.checks import check_job, is_done, prepare
from bsft.launch.composing import first_sentence
from bsft.launch.hydra_internals import options_parser
from bsft.launch.planning import compose_one, plan
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically
from bsft.records.paths import config_dir, user_path
from bsft.records.secrets import masked
from bsft.records.untrusted import read_yaml
from bsft.runs.directory import LOG, RunDirectory, run_directories
from bsft.runs.identity import job_name, register_resolver

INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses after Ctrl+C and after SIGTERM."""
WIDTH = 110
"""Of the help, in characters."""
_MISTAKES = (cfg.ConfigError, BadInput, HydraException, OmegaConfBaseException, yaml.YAMLError, OSError)


def main(task: Callable[[DictConfig], Any], argv: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 when every job is done, 1 when one failed, 2 when the command line or its inputs are
    wrong, 130 after Ctrl+C and 143 after SIGTERM."""
    given = list(sys.argv[1:] if argv is None else argv)
    cfg.register()
    register_resolver()
    try:
        with _terminable():
            return _run(task, given)
    except _MISTAKES as error:
        print_error(f"bsft-train: {first_sentence(error)}")
        return 2
    except KeyboardInterrupt:
        print_error("bsft-train: interrupted before the first job")
        return INTERRUPTED
    except SystemExit as end:  # SIGTERM
        return int(end.code or 0)


def job_arguments(job: HydraConf) -> list[str]:
    """The command line that means one job alone, from Hydra's part of that job's config."""
    directories = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    return [*(f"--config-dir={directory}" for directory in directories), *job.overrides.task, "hydra.mode=RUN"]


def mask_overrides(job: HydraConf) -> None:
    """Masks keys and passwords in `multirun.yaml`, in which Hydra writes down a sweep's command line as typed."""
    if job.mode == RunMode.MULTIRUN and (file := Path(job.sweep.dir) / "multirun.yaml").is_file():
        text = file.read_text(encoding="utf-8")
        if (harmless := masked(text)) != text:
            write_atomically(file, harmless)


def is_further_rank() -> bool:
    """Whether this process serves a job that another process has started and answers for."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def _run(task: Callable[[DictConfig], Any], given: list[str]) -> int:
    parsed, flags = _parse(given)
    if parsed.help:
        sys.stdout.write(_usage(parsed.config_dir))
        return 0
    if is_further_rank():
        return _hydra(task, [*flags, *parsed.overrides])
    if parsed.config_path or parsed.config_name:
        raise cfg.ConfigError(
            "--config-path and --config-name are not supported; for YAML files of your own, for example "
            "mine/experiment/pilot.yaml, use --config-dir mine experiment=pilot"
        )
    if parsed.cfg == "job" and not parsed.package:
        config = compose_one(parsed.overrides, multirun=parsed.multirun, more_configs=parsed.config_dir)
        sys.stdout.write(OmegaConf.to_yaml(config, resolve=parsed.resolve))
        return 0
    if parsed.shell_completion:
        return _complete(task, [*flags, *parsed.overrides])
    if parsed.hydra_help or parsed.cfg or parsed.info:
        return _hydra(task, [*flags, *parsed.overrides])
    planned = plan(parsed.overrides, multirun=parsed.multirun, more_configs=parsed.config_dir)
    for job in planned.jobs:
        check_job(job)
    if any(job.dry_run for job in planned.jobs):
        SafeConsole().print(_table(planned.jobs).rich())
        return 0
    arguments = [*flags, *planned.overrides]
    if planned.complete:
        return _run_planned(task, arguments, planned.jobs)
    return _run_search(task, arguments, planned.jobs[0])


def _misused(message: str) -> NoReturn:
    raise cfg.ConfigError(f"{message}; see bsft-train --help")


def _parse(given: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Hydra's options and, apart from its overrides, the arguments that are flags: `model=tiny -m seed=0,1` works."""
    parser = options_parser()
    parser.error = _misused  # type: ignore[method-assign]
    parsed = parser.parse_intermixed_args(given)
    return parsed, [argument for argument in given if argument not in parsed.overrides]


def _complete(task: Callable[[DictConfig], Any], arguments: list[str]) -> int:
    """Hydra's completion, without the schemas that stand among the options."""
    with contextlib.redirect_stdout(io.StringIO()) as told:
        ended = _hydra(task, arguments)
    sys.stdout.write(re.sub(r"\S*\bschema_\S*[ \n]?", "", told.getvalue()))
    return ended


def _run_planned(task: Callable[[DictConfig], Any], arguments: list[str], jobs: Sequence[cfg.Config]) -> int:
    pending = [job for job in jobs if job.redo or not is_done(job)]
    for job in pending:
        prepare(job)
    if skipped := len(jobs) - len(pending):
        SafeConsole(stderr=True).print(f"{skipped} of {len(jobs)} jobs are already done")
    ended = _hydra(task, arguments) if pending else 0
    return _say_what_failed([RunDirectory.of(job) for job in jobs], ended)


def _run_search(task: Callable[[DictConfig], Any], arguments: list[str], sample: cfg.Config) -> int:
    """Jobs that a sweeper of the user's decides on: each is checked when it comes, and known by its directory."""
    start_unix_s = time.time()
    ended = _hydra(task, arguments)
    sweep = Path(sample.root) / sample.sweep
    found = list(run_directories(sweep)) if sweep.is_dir() else []
    ours = [directory for directory in found if directory.status().updated_unix_s >= start_unix_s]
    return _say_what_failed(ours, ended) or ended


def _say_what_failed(directories: Sequence[RunDirectory], ended: int) -> int:
    """1 when a job has failed; Hydra's exit status when the command was interrupted, which is said instead."""
    stands = [(directory.path, directory.status()) for directory in directories]
    unfinished = [(path, status) for path, status in stands if status.state != "done"]
    if ended in (INTERRUPTED, TERMINATED):
        n_done = len(stands) - len(unfinished)
        done = f"{n_done} of {len(stands)} jobs are done"
        print_error(f"bsft-train: interrupted; {done}; the same command goes on from there")
        return ended
    for path, status in unfinished:
        reason = f": {status.reason} (see {LOG} there)" if status.reason else ""
        print_error(f"{path}: {status.state}{reason}")
    return int(bool(unfinished))


def _hydra(task: Callable[[DictConfig], Any], arguments: Sequence[str]) -> int:
    """Runs Hydra itself on the same command line; a failed job leaves its reason on disk, not in the exit value."""
    sys.argv[1:] = arguments
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(task)()
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:  # the job says so in its directory
        return INTERRUPTED
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl+C does, in order, so that a job can say how far it is."""
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(jobs: Sequence[cfg.Config]) -> Table:
    rows = []
    for job in jobs:
        state = RunDirectory.of(job).status().state
        shown = "damaged" if state == "done" and not is_done(job) else state
        texts = (job_name(job), job.method.name, job.model.name, job.data.name, str(job.seed), shown)
        rows.append([Cell(text) for text in texts])
    columns = [Column(header) for header in ("job", "method", "model", "data", "seed", "state")]
    return Table(f"{len(jobs)} jobs", columns, rows)


def _usage(more_configs: str | None = None) -> str:
    """The help text: what can be chosen, read off the files that it is chosen from. Nothing is composed."""
    directories = [config_dir(), *([user_path(more_configs)] if more_configs is not None else [])]
    layout: dict[str, Any] = {"width": WIDTH, "subsequent_indent": " " * 14, "break_on_hyphens": False}
    groups = []
    for group in (*cfg.SCHEMAS, "experiment"):
        options = sorted({file.stem for directory in directories for file in (directory / group).glob("*.yaml")})
        groups.append(textwrap.fill(", ".join(options), initial_indent=f"  {group}=".ljust(14), **layout))
    words = read_yaml(config_dir() / "config.yaml")["hydra"]["help"]
    return f"{words['header']}\ngroups and their options:\n" + "\n".join(groups) + f"\n\n{words['footer']}"
