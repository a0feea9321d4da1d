"""Builds the open benchmark: plans the cases, makes their items shard by shard, and writes the directory at once.

Shards are independent of each other and of the number of workers. An interrupted build leaves its finished shards in a
hidden directory beside the output, and the same call goes on from there.
"""

import hashlib
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

from pydantic import RootModel

from bsft.bench.bank.load import load_bank
from bsft.bench.noise import restated_items
from bsft.bench.simulated.case import simulate_case
from bsft.bench.splits import CasePlan, plan_cases
from bsft.bench.tasks import TASKS, items_of
from bsft.bench.version import FROZEN, VERSION
from bsft.config.base import MAX_SEED
from bsft.config.data import MAX_CASES, MIN_CASES
from bsft.display.progress import progress_bar
from bsft.records.errors import BadInput
from bsft.records.files import replace_directory, replacing, write_atomically
from bsft.records.schema import SCHEMA_VERSION, Item, Manifest, noise_split
from bsft.records.store import check_replaceable, line_of, write_manifest
from bsft.records.untrusted import file_sha256, read_record

NAME = "bsft-open"
LICENCE = "Apache-2.0"
NOISE = noise_split("test")
CASES_PER_SHARD = 200
"""About 10 MB of JSON lines."""
NOTES = (
    "Synthetic cases simulated from a hand-written bank; no patient's data.",
    "Not for clinical use.",
)


@dataclass(frozen=True)
class BuildSpec:
    """What determines the benchmark, beside the version of its content.

    Attributes:
        n_cases: number of simulated cases over all splits; about 20.7 items each (6876 gives the published size).
        seed: decides every random choice.
        heldout: keep conditions, wordings and kinds of perturbation for a split of their own, `test_heldout`.
    """

    n_cases: int = 300
    seed: int = 0
    heldout: bool = True

    def __post_init__(self) -> None:
        if not MIN_CASES <= self.n_cases <= MAX_CASES:
            raise BadInput(f"n_cases: found {self.n_cases}, allowed: {MIN_CASES} to {MAX_CASES}")
        if not 0 <= self.seed <= MAX_SEED:
            raise BadInput(f"seed: found {self.seed}, allowed: 0 to {MAX_SEED}")


@dataclass(frozen=True)
class Shard:
    """A file of the benchmark: some cases of one split."""

    name: str
    split: str
    first: int
    last: int


class _Counts(RootModel[list[tuple[str, str, int]]]):
    """(task, label, number of items) of a shard."""


def identity(spec: BuildSpec) -> str:
    """Fingerprint of what determines the items: the spec, and the version with the hashes of the items it stands for.

    The engine's own files are not in it, so that a comment makes no new benchmark; that the items of a version are
    still those that were frozen is for the tests to say.
    """
    parts = [VERSION, FROZEN[VERSION], SCHEMA_VERSION, asdict(spec)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def build(spec: BuildSpec, output: Path, *, workers: int = 1, progress: bool = True) -> Manifest:
    """Builds the benchmark into `output`, replacing an earlier one there.

    Args:
        spec: what to build.
        output: the benchmark's directory; it appears complete or not at all.
        workers: processes that make shards; the bytes written do not depend on it.
        progress: show a progress bar.

    Raises:
        BadInput: `output` is something other than a benchmark, or cannot be written to.
    """
    shards = plan_shards(spec)
    try:
        check_replaceable(output)
        scratch = output.with_name(f".{output.name}.{identity(spec)[:16]}")
        scratch.mkdir(parents=True, exist_ok=True)
        for partial in scratch.glob(".*"):  # of a build that was killed
            partial.unlink()
        todo = [shard for shard in shards if not _is_done(scratch, shard)]
        _make(spec, todo, scratch, workers, progress, done=len(shards) - len(todo))
        manifest = _manifest(spec, shards, scratch)
        for shard in shards:
            _done(scratch, shard).unlink()
        write_manifest(scratch, manifest)
        check_replaceable(output)
        replace_directory(scratch, output)
    except OSError as error:
        raise BadInput(f"{output}: could not be written: {error.strerror}; build again to go on from here") from error
    except BrokenProcessPool as error:
        raise BadInput("a worker was killed, perhaps for want of memory; build again to go on from here") from error
    return manifest


def plan_shards(spec: BuildSpec) -> list[Shard]:
    """The benchmark's files, in order."""
    return [
        Shard(f"{split}-{number:04d}.jsonl", split, first, min(first + CASES_PER_SHARD, len(cases)))
        for split, cases in _plans(spec).items()
        for number, first in enumerate(range(0, len(cases), CASES_PER_SHARD))
    ]


def _plans(spec: BuildSpec) -> dict[str, list[CasePlan]]:
    """Split -> its cases; those of the test split once more, for what restates its items."""
    plans = plan_cases(load_bank(), spec.n_cases, spec.seed, heldout=spec.heldout)
    return {**plans, NOISE: plans["test"]}


def make_items(spec: BuildSpec, split: str, plans: Sequence[CasePlan]) -> Iterator[Item]:
    """All items that a split has of the planned cases, in order."""
    for plan in plans:
        case = simulate_case(plan.condition, case_id=plan.case_id, split=plan.split, seed=spec.seed, level=plan.level)
        yield from restated_items(case) if split == NOISE else items_of(case, plan.n_handled)


def _make(spec: BuildSpec, shards: Sequence[Shard], scratch: Path, workers: int, progress: bool, *, done: int) -> None:
    with progress_bar("building shards", len(shards) + done, shown=progress) as advance:
        advance(done)
        if workers <= 1:
            for shard in shards:
                _write_shard(spec, shard, scratch)
                advance(1)
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
            futures = [pool.submit(_write_shard, spec, shard, scratch) for shard in shards]
            for future in as_completed(futures):
                future.result()
                advance(1)


def _end_with_parent() -> None:
    """Ends this worker when the build is killed; it would wait for ever otherwise."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _done(scratch: Path, shard: Shard) -> Path:
    """Holds a shard's counts, and is there when the shard is complete."""
    return scratch / f"{shard.name}.json"


def _is_done(scratch: Path, shard: Shard) -> bool:
    try:
        read_record(_Counts, _done(scratch, shard))
    except BadInput:  # none yet, or damaged: the shard is made again
        return False
    return (scratch / shard.name).exists()


def _write_shard(spec: BuildSpec, shard: Shard, scratch: Path) -> None:
    """Writes a shard and, when it is complete, its counts, whose presence marks it as done."""
    plans = _plans(spec)[shard.split]
    counts: Counter[tuple[str, str]] = Counter()
    with (
        replacing(scratch / shard.name) as partial,
        partial.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        for item in make_items(spec, shard.split, plans[shard.first : shard.last]):
            counts[item.task, item.label] += 1
            stream.write(line_of(item))
    write_atomically(_done(scratch, shard), json.dumps([[*key, n] for key, n in sorted(counts.items())]))


def _manifest(spec: BuildSpec, shards: Sequence[Shard], scratch: Path) -> Manifest:
    counts: dict[str, dict[str, dict[str, int]]] = {}
    files: dict[str, list[str]] = defaultdict(list)
    for shard in shards:
        files[shard.split].append(shard.name)
        for task, label, n in read_record(_Counts, _done(scratch, shard)).root:
            labels = counts.setdefault(task, {}).setdefault(shard.split, {})
            labels[label] = labels.get(label, 0) + n
    return Manifest(
        name=NAME,
        version=VERSION,
        schema_version=SCHEMA_VERSION,
        seed=spec.seed,
        licence=LICENCE,
        tasks=list(TASKS),
        files=dict(files),
        counts=counts,
        sha256={shard.name: file_sha256(scratch / shard.name) for shard in shards},
        notes=list(NOTES),
    )
