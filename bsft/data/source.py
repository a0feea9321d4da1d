"""From a data config to a benchmark on disk: built, imported or simply opened, once, in the cache."""

import json
import logging
import os
from functools import cache
from pathlib import Path

from filelock import FileLock

from bsft.config import DataConfig, JsonlConfig, MedErrBenchConfig, OpenBenchConfig
from bsft.records.errors import BadInput
from bsft.records.files import remove
from bsft.records.hashing import digest, sha256_of
from bsft.records.paths import cache_dir
from bsft.records.schema import Manifest
from bsft.records.store import MANIFEST, Benchmark, open_benchmark
from bsft.records.store.writing import check_listing
from bsft.records.untrusted import read_record

log = logging.getLogger(__name__)


def fingerprint(data: DataConfig) -> str:
    """What determines the benchmark's items, without making them.

    Raises:
        BadInput: a file or directory that the config names is missing.
    """
    if isinstance(data, OpenBenchConfig):
        from bsft.bench.build import BuildSpec, identity

        return identity(BuildSpec(n_cases=data.n_cases, seed=data.build_seed))
    if isinstance(data, MedErrBenchConfig):
        from bsft.importing.mederrbench import IMPORTER_VERSION, SOURCE_FILES

        names = [Path(data.path) / name for name in SOURCE_FILES.values()]
        return digest(IMPORTER_VERSION, *(sha256_of(file) for file in names))
    assert isinstance(data, JsonlConfig)
    return _given(Path(data.path))


def _given(path: Path) -> str:
    """Of a benchmark that lies at `path`: content and order of its files, and what the manifest says of its tasks.

    Neither the files' names count nor what is only shown (the benchmark's name, its licence, notes).
    """
    if (said := manifest_of(path)) is not None:
        files = {split: [sha256_of(path / name) for name in names] for split, names in said.files.items()}
        return digest(json.dumps([files, [task.model_dump() for task in said.tasks]], sort_keys=True))
    files_alone = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    if not files_alone:
        raise BadInput(f"data.path={path}: no such file, or a directory without .jsonl files")
    return digest(*(sha256_of(file) for file in files_alone))


def manifest_of(directory: Path) -> Manifest | None:
    """What the manifest of a benchmark says, before its items are read; None where there is none.

    Raises:
        BadInput: it is damaged, or lists what is no file beside it.
    """
    file = directory / MANIFEST
    return _manifest(file, sha256_of(file)) if file.is_file() else None


@cache
def _manifest(file: Path, sha256: str) -> Manifest:
    """By the file's `sha256`, so that a changed one is read again."""
    manifest = read_record(Manifest, file)
    check_listing(manifest, file)
    return manifest


def obtain(data: DataConfig) -> Benchmark:
    """Opens the benchmark that a data config describes; builds or imports it first when the cache lacks it.

    Safe under concurrent jobs: one makes it, the others wait. What was damaged in the cache is made again.

    Raises:
        BadInput: the source is missing or malformed.
    """
    if isinstance(data, JsonlConfig):
        return open_benchmark(Path(data.path))
    options = f"{data.normalise_case} {data.min_kind_test_items}" if isinstance(data, MedErrBenchConfig) else ""
    target = cache_dir() / "benchmarks" / f"{data.name}-{digest(fingerprint(data), options)[:16]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if (benchmark := _intact(target)) is not None:
        return benchmark
    with FileLock(f"{target}.lock"):
        if (benchmark := _intact(target)) is not None:  # made by another job meanwhile
            return benchmark
        remove(target)
        _make(data, target)
    return open_benchmark(target)


def _intact(target: Path) -> Benchmark | None:
    """The benchmark in the cache; None where there is none, or a damaged one."""
    if not os.path.lexists(target):
        return None
    try:
        if not (target / MANIFEST).is_file():  # its items would open all the same, as another benchmark
            raise BadInput(f"{target}: no {MANIFEST}")
        return open_benchmark(target)
    except BadInput as error:
        log.warning("the cached benchmark is damaged, so it is made again: %s", error)
        return None


def _make(data: DataConfig, target: Path) -> None:
    if isinstance(data, OpenBenchConfig):
        from bsft.bench.build import BuildSpec, build

        build(BuildSpec(n_cases=data.n_cases, seed=data.build_seed), target)
        return
    assert isinstance(data, MedErrBenchConfig)
    from bsft.importing.mederrbench import import_mederrbench

    imported = import_mederrbench(
        Path(data.path), normalise_case=data.normalise_case, min_kind_test_items=data.min_kind_test_items
    )
    imported.write(target, name=data.name, version="imported", licence="MIT")
