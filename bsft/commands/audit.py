"""`bsft audit`: can this benchmark be solved without understanding it?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from bsft.audit.limits import Limits, Settings
from bsft.commands.options import Json, UserPath
from bsft.records.errors import BadInput
from bsft.records.secrets import masked_arguments

if TYPE_CHECKING:
    from bsft.audit.corpus import Corpus
    from bsft.records.schema import Item


def audit(
    path: UserPath | None = None,
    /,
    *,
    mederrbench: UserPath | None = None,
    normalise_case: bool = True,
    output: UserPath = Path("audit"),
    max_cases: Annotated[int, Parameter(validator=Number(gte=10))] = Settings.max_cases,
    n_bootstrap: Annotated[int, Parameter(validator=Number(gte=20))] = Settings.n_bootstrap,
    seed: int = Settings.seed,
    json: Json = False,
) -> int:
    """Audits a benchmark: tries to solve it without reading, looks for duplicates across splits, checks its structure.

    Writes audit.json, audit.csv, audit.md and audit.html. Exit status: 0 all limits hold, 1 one is broken, 2 wrong
    input.

    Args:
        path: a benchmark's directory, with or without manifest.json, or one .jsonl file.
        mederrbench: instead of PATH: the CSV files of MedErrBench-EN, imported for the audit only.
        normalise_case: with --mederrbench: remove the fingerprints of editing first.
        output: directory of the three files.
        max_cases: cases of a kind of problem, or of an answering task, that probes use.
        n_bootstrap: resamples of cases for the intervals.
        seed: decides which cases are taken, and the resamples.
        json: print audit.json, and nothing else.

    Raises:
        BadInput: not exactly one source, or it is wrong, or the output holds another program's files.
    """
    from bsft.audit.audit import audit as audit_corpus
    from bsft.audit.documents import check_output, write_documents
    from bsft.bench.build import NAME
    from bsft.bench.version import VERSION
    from bsft.display.console import console_for

    check_output(output)
    if path is not None and mederrbench is None:
        corpus, source = _benchmark(path)
    elif mederrbench is not None and path is None:
        corpus, source = _mederrbench(mederrbench, normalise_case)
    else:
        raise BadInput("give either PATH or --mederrbench DIR; see bsft audit --help")
    # how natural it reads, and what the complaint gives away, is limited in this project's own benchmark
    own = corpus.name == f"{NAME} {VERSION}"
    settings = Settings(max_cases, seed, n_bootstrap, Limits(bound_to_prose=own))
    found = audit_corpus(corpus, settings)
    command = shlex.join(["bsft", *masked_arguments(sys.argv[1:])])
    report = write_documents(found, output, source=source, command=command)
    if json:
        sys.stdout.write((output / "audit.json").read_text(encoding="utf-8"))
    else:
        report.show(corpus.name, output, console_for(sys.stdout))
    return 0 if found.passed else 1


def _mederrbench(directory: Path, normalise_case: bool) -> tuple[Corpus, str]:
    """The items of MedErrBench, and the directory that they were imported from."""
    from bsft.audit.corpus import read_corpus
    from bsft.importing.mederrbench import import_mederrbench

    imported = import_mederrbench(directory, normalise_case=normalise_case)
    items = [item for own in imported.items.values() for item in own]
    tasks = {task.name: task for task in imported.tasks}
    name = "MedErrBench-EN" + ("" if normalise_case else " as published")
    return read_corpus(name, tasks, items), str(directory)


def _benchmark(path: Path) -> tuple[Corpus, str]:
    """A benchmark on disk, and its fingerprint."""
    from bsft.audit.corpus import read_corpus
    from bsft.display.progress import progress_bar
    from bsft.records.store import open_benchmark

    benchmark = open_benchmark(path)
    manifest = benchmark.manifest
    n_items = sum(n for splits in manifest.counts.values() for labels in splits.values() for n in labels.values())

    def all_items() -> Iterable[Item]:
        for split in benchmark.splits:
            # what restates other items would count them twice
            yield from (item for item in benchmark.items(split) if item.original_id is None)

    with progress_bar("reading items", n_items) as advance:
        corpus = read_corpus(f"{manifest.name} {manifest.version}", benchmark.tasks, all_items(), advance)
    return corpus, benchmark.sha256
