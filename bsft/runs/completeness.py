"""When a run is done: what its directory has to hold, and what is wrong with one that only says so. No torch.

Its files are sealed when they are complete, so that a damaged one is noticed later without reading them all.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bsft.records.errors import BadInput
from bsft.records.files import write_json
from bsft.records.untrusted import file_sha256, open_regular, read_json
from bsft.runs.directory import METRICS, PREDICTIONS, RunDirectory

COMPLETE = "complete"
"""In an adapter's directory: the seals of its files, and the seconds that fitting took."""


def is_done(run: RunDirectory) -> bool:
    """Whether a run has ended well and everything that it leaves is there.

    Raises:
        BadInput: `status.json` or `config.yaml` is damaged.
    """
    return run.status().state == "done" and flaw_of_done(run) is None


def set_done(run: RunDirectory) -> None:
    """Records that a run is done, and what its results were then.

    Raises:
        BadInput: results are missing or the status cannot be written.
    """
    try:
        results = _sealed(run.path, [METRICS, PREDICTIONS])
    except OSError as error:
        raise BadInput(f"{error.filename}: could not be read: {error.strerror}") from None
    run.set_status("done", results=results)


def flaw_of_done(run: RunDirectory) -> str | None:
    """What is missing or damaged in a run that says it is done; None when nothing is.

    Raises:
        BadInput: `status.json` or `config.yaml` is damaged.
    """
    sealed = run.status().results
    return (
        (_flaw_of_metrics(run.path / METRICS))
        or (_flaw_of_predictions(run.path / PREDICTIONS) if sealed is None else _flaw(run.path, sealed))
        or (flaw_of_adapter(run.adapter) if _is_fitted(run) else None)
    )


def seal_adapter(adapter: Path, fit_s: float) -> None:
    """Marks an adapter directory as complete, with the seals of its files.

    Raises:
        OSError, BadInput: a file cannot be read, or the mark cannot be written.
    """
    files = _sealed(adapter, sorted(file.name for file in adapter.iterdir()))
    write_json(adapter / COMPLETE, {"fit_s": fit_s, "files": files})


def flaw_of_adapter(adapter: Path) -> str | None:
    """What is wrong with an adapter directory; None when it is as it was written."""
    mark = _mark(adapter)
    return f"{adapter / COMPLETE}: missing or damaged" if mark is None else _flaw(adapter, mark.get("files"))


def seconds_of_fit(adapter: Path) -> float:
    """Seconds that fitting a complete adapter took; 0 where its mark does not say."""
    found = (_mark(adapter) or {}).get("fit_s")
    return float(found) if isinstance(found, int | float) else 0.0


def _sealed(directory: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """File name -> size in bytes, time of change and SHA-256, as JSON can hold them."""
    files = {name: directory / name for name in names}
    stats = {name: file.stat() for name, file in files.items()}
    return {
        name: {"size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": file_sha256(files[name])}
        for name, found in stats.items()
    }


def _flaw(directory: Path, sealed: object) -> str | None:
    """The first file that is not what it was when it was `sealed`, and why; None when all are. A file of the same size
    and time of change is believed; others are read."""
    if not isinstance(sealed, Mapping) or not sealed:
        return f"{directory}: nothing says what its files should be"
    for name, seal in sealed.items():
        file = directory / name
        if not file.is_file():
            return f"{file}: no such file"
        if not isinstance(seal, Mapping):
            return f"{directory}: nothing says what {name} should be"
        try:
            found = file.stat()
            same = found.st_size == seal.get("size_bytes") and (
                found.st_mtime_ns == seal.get("mtime_ns") or file_sha256(file) == seal.get("sha256")
            )
        except (BadInput, OSError) as error:
            return str(error) if isinstance(error, BadInput) else f"{file}: {error.strerror}"
        if not same:
            return f"{file}: damaged (not what was written)"
    return None


def _mark(adapter: Path) -> dict[str, Any] | None:
    try:
        return read_json(adapter / COMPLETE)
    except BadInput:
        return None


def _is_fitted(run: RunDirectory) -> bool:
    method = (run.frozen_identity() or {}).get("method")
    return isinstance(method, dict) and "tuning" in method


def _flaw_of_metrics(file: Path) -> str | None:
    """`metrics.json` is small, so that it is read whatever is known of it."""
    try:
        metrics = read_json(file)
    except BadInput as error:
        return str(error)
    return None if metrics.get("overall") else f"{file}: damaged (no field overall)"


def _flaw_of_predictions(file: Path) -> str | None:
    """Of a run whose status does not say what its results were."""
    try:
        with open_regular(file) as stream:
            size_bytes = stream.seek(0, 2)
            stream.seek(max(0, size_bytes - 1))
            last = stream.read()
    except BadInput as error:
        return str(error)
    except OSError as error:
        return f"{file}: {error.strerror}"
    return None if last == b"\n" else f"{file}: damaged (its last line has no end)"
