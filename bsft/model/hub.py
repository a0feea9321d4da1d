"""Which commit of the hub a model is: branches move, and a job is one commit."""

from __future__ import annotations

import contextlib
import re
from functools import cache
from pathlib import Path
from typing import cast

from bsft.config import ModelConfig
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically
from bsft.records.hashing import digest
from bsft.records.paths import cache_dir

_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_of(model: ModelConfig) -> str:
    """The commit that `model.revision` means: itself, or what its branch (tag) is known to be.

    A branch is looked up in the cache of the hub's client, then among the answers of earlier commands, then at the hub,
    whose answer is kept: the jobs of a sweep, wherever and whenever they start, load the commit that was planned.

    Raises:
        BadInput: the commit cannot be known here.
    """
    branch = model.revision or "main"
    if _COMMIT.fullmatch(branch):
        return branch
    from huggingface_hub import constants

    hub_id = cast(str, model.id)
    answer = cache_dir() / "commits" / digest(f"{hub_id}@{branch}")[:32]
    for known in (Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}" / "refs" / branch, answer):
        if (commit := _read(known)) is not None:
            return commit
    try:
        commit = _asked(hub_id, branch)
    except Exception as error:  # of the hub's client or of the HTTP library under it, which differs between versions
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            f"model={model.name}: the commit of {hub_id}, branch {branch}, is neither in the cache nor to be had from "
            f"the hub ({reason}); set model.revision=<commit>, 40 hexadecimal digits"
        ) from None
    # without it each process asks again
    with contextlib.suppress(BadInput):
        write_atomically(answer, commit)
    return commit


def _read(file: Path) -> str | None:
    """The commit in a file; None when there is no such file, or something else in it."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        content = stream.read(100).decode("ascii", "replace").strip()
    return content if _COMMIT.fullmatch(content) else None


@cache
def _asked(hub_id: str, branch: str) -> str:
    """What the hub says, in one try."""
    from huggingface_hub import HfApi

    commit = HfApi().model_info(hub_id, revision=branch, timeout=10).sha
    if commit is None or not _COMMIT.fullmatch(commit):
        raise ValueError(f"the hub named no commit but {commit}")
    return commit
