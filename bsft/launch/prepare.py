"""What lies in a job's directory before it starts: nothing yet, its frozen config, or that it is done."""

from __future__ import annotations

from bsft import config as cfg
from bsft.launch.checks import check_job
from bsft.records.directories import unused
from bsft.records.errors import BadInput
from bsft.runs import completeness
from bsft.runs.directory import RunDirectory
from bsft.runs.identity import identity


def is_done(job: cfg.Config) -> bool:
    """A job is done when its directory holds everything that it should *and* its recorded identity is this one's."""
    directory = RunDirectory.of(job)
    return completeness.is_done(directory) and directory.frozen_identity() == identity(job)


def prepare(job: cfg.Config) -> None:
    """Freezes the job's config in its directory; `redo` starts it over.

    Raises:
        BadInput: the directory belongs to another configuration, is damaged, or cannot be written to.
    """
    directory = RunDirectory.of(job)
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
    """Checks and prepares a job that was not known when the command was started.

    Raises:
        ConfigError, BadInput: as the pre-flight does.
    """
    check_job(job)
    if job.redo or not is_done(job):
        prepare(job)
