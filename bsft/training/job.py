"""Runs one job: fit if its method asks for it, score, write everything down.

`run_composed` is what Hydra calls; `run` is the same for a validated config.
"""

import importlib.metadata
import logging
import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from omegaconf import DictConfig
from transformers.utils.logging import disable_progress_bar

from bsft import __version__
from bsft import config as cfg
from bsft.display.console import libraries_to
from bsft.model.fast.native.build import cpu_info, obstacle
from bsft.model.sharding import is_sharded
from bsft.records.errors import BadInput
from bsft.records.escaping import visible
from bsft.records.files import write_json
from bsft.records.secrets import masked, masked_arguments
from bsft.runs.completeness import is_done, set_done
from bsft.runs.directory import ENV, LOG, RunDirectory
from bsft.runs.identity import identity
from bsft.runs.job import Job
from bsft.scoring.result import Result
from bsft.scoring.run import score
from bsft.training.fitting import fit
from bsft.training.loggers import open_logger

log = logging.getLogger(__name__)
_PACKAGES = ("torch", "transformers", "peft", "lightning", "tokenizers", "hydra-core", "numpy", "wandb")


class Unrecorded(BadInput):
    """A failure of which the job's directory does not tell."""


def run_composed(composed: DictConfig) -> float | None:
    """Runs the job that a composed config describes, unless it is done; its failure is recorded and raised again.

    Returns:
        The macro-F1 of the split that is scored, for sweepers that search; None on any rank but the first.

    Raises:
        Unrecorded: the job is not one that was planned, or its failure could not be written down.
    """
    config = cfg.validate(composed)
    directory = RunDirectory.of(config)
    frozen = directory.frozen_identity()
    if frozen is None or frozen != identity(config):
        raise Unrecorded(
            f"{directory.path}: this is not a job that was planned when the command was started: conf/, the data or "
            "the model have changed since; start the same command again"
        )
    if is_done(directory):
        known: float | None = directory.metrics()["overall"]["macro_f1"]
        return known
    result = run_planned(config, directory)
    return None if result is None else result.overall.macro_f1


def run_planned(config: cfg.Config, directory: RunDirectory) -> Result | None:
    """Runs a job, or an evaluation of a run, whose config lies in its directory; a failure is recorded and raised.

    Returns:
        What metrics.json holds; None on any rank but the first.
    """
    with _run_log(directory.path / LOG):
        return _run_recorded(config, directory)


def _run_recorded(config: cfg.Config, directory: RunDirectory) -> Result | None:
    try:
        directory.set_status("running")
        result = run(config, directory)
        if result is not None:
            set_done(directory)
    except BaseException as error:
        log.error("%s", traceback.format_exc())
        reason = masked(" ".join(str(error).split())) or type(error).__name__
        kind = "" if isinstance(error, BadInput) else f"{type(error).__name__}: "
        try:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                directory.set_status("queued", "interrupted")
            else:
                directory.set_status("failed", kind + reason)
        except BadInput as unwritable:
            raise Unrecorded(f"{kind}{reason}; {unwritable}") from error
        raise
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return result


def run(config: cfg.Config, directory: RunDirectory) -> Result | None:
    """Fits on all ranks and scores on the first; returns what metrics.json holds, None on the other ranks."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    if config.trainer.accelerator == "cuda" and config.trainer.precision == "bf16-mixed":
        torch.set_float32_matmul_precision("high")  # the output layer's products, by tensor cores (TF32)
    seed_everything(config.seed, verbose=False)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    write_json(directory.path / ENV, _environment())
    log.info("job %s", directory.name)
    job = Job.load(config, directory)
    with open_logger(config, directory.path) as logger:
        fit_s = fit(job, logger) if job.method.needs_fit else 0.0
        if torch.distributed.is_initialized() and torch.distributed.get_rank() != 0:
            return None
        if is_sharded(job.backbone.module):
            job = job.with_fresh_backbone()
            job.backbone.load_adapter(directory.adapter)
        job.backbone.module.to(job.device).eval()
        result = score(job, fit_s=fit_s)
        logger.summarise(result.to_dict())
    return result


class _Harmless(logging.Formatter):
    """Lines without keys and passwords, and without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(masked(super().format(record)))


@contextmanager
def _run_log(file: Path) -> Iterator[None]:
    """Sends the log of this job, and only of this job, to its own file, warnings and tracebacks included."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise Unrecorded(f"{file}: could not be opened: {error.strerror}") from error
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk: failures are told elsewhere
    handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("bsft").setLevel(logging.INFO)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        with libraries_to(handler):
            yield
    finally:
        with suppress(OSError):
            handler.close()


def _environment() -> dict[str, Any]:
    """The contents of env.json: what a run was made with. No secrets: environment variables are not recorded."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "diff": masked(_git("diff", "HEAD", "--stat") or ""),
        "python": sys.version.split()[0],
        "versions": {"bsft": __version__, **{name: importlib.metadata.version(name) for name in _PACKAGES}},
        "platform": platform.platform(),
        "cpu": cpu_info("model name") or platform.processor() or None,
        "n_cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "native_obstacle": obstacle(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "command": masked_arguments(sys.argv),
    }


def _git(*arguments: str) -> str | None:
    """Output of git in the checkout this package lies in, or None outside one."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
