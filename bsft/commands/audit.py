"""`bsft-bench audit`: can this benchmark be solved without understanding it?"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bsft.audit.audit import Settings, audit
from bsft.audit.corpus import Corpus, read_corpus
from bsft.audit.documents import check_output, write_documents
from bsft.audit.limits import Limits
from bsft.audit.terminal import show
from bsft.commands.arguments import parse
from bsft.display.console import SafeConsole
from bsft.display.progress import progress_bar
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.secrets import masked_arguments
from bsft.records.store import open_benchmark

USAGE = """usage: bsft-bench audit PATH [key=value ...]

Audits a benchmark: tries to solve it without reading, looks for duplicates across splits, checks its structure.
Writes audit.json, audit.md and audit.html. Exit status: 0 all limits hold, 1 a limit is broken, 2 bad input.

PATH is a benchmark's directory, with or without manifest.json, or one .jsonl file.

keys:
  data.path=PATH          the same as PATH
  mederrbench=DIR         instead of PATH: the CSV files of MedErrBench-EN, imported for the audit only
  normalise_case=true     with mederrbench: remove the fingerprints of editing first
  output=audit            directory of the three files
  max_pairs=2000          pairs of a task and split that probes use
  min_pairs=1000          with fewer units a limit is not held against anything
  n_bootstrap=500         resamples of cases for the intervals
  seed=0                  decides which cases are taken, and the resamples
"""


@dataclass
class DataOptions:
    path: Path | None = None


@dataclass
class AuditOptions:
    """Options of `bsft-bench audit`."""

    data: DataOptions = field(default_factory=DataOptions)
    mederrbench: Path | None = None
    normalise_case: bool = True
    output: Path = Path("audit")
    max_pairs: int = 2000
    min_pairs: int = 1000
    n_bootstrap: int = 500
    seed: int = 0


def parse_options(arguments: Sequence[str]) -> AuditOptions:
    """Options; a first argument without `=` is the path.

    Raises:
        BadInput: an argument that cannot be read, a number that is too small, or not exactly one source.
    """
    if arguments and "=" not in arguments[0]:
        arguments = [f"data.path={arguments[0]}", *arguments[1:]]
    options = parse(AuditOptions, arguments, "bsft-bench audit")
    if (options.data.path is None) == (options.mederrbench is None):
        raise BadInput("give either PATH (or data.path=PATH) or mederrbench=DIR; see bsft-bench audit --help")
    for key, least in (("max_pairs", 10), ("min_pairs", 1), ("n_bootstrap", 20)):
        if (found := getattr(options, key)) < least:
            raise BadInput(f"{key}: found {found}, allowed: {least} or more")
    return options


def load(options: AuditOptions) -> tuple[Corpus, str]:
    """The benchmark, and what it is known by: its fingerprint, or the directory that it was imported from.

    Raises:
        BadInput: the source is missing or malformed, or holds no item.
    """
    if options.mederrbench is not None:
        from bsft.importing.mederrbench import import_mederrbench

        imported = import_mederrbench(options.mederrbench, normalise_case=options.normalise_case)
        items = [item for own in imported.items.values() for item in own]
        tasks = {task.name: task for task in imported.tasks}
        name = "MedErrBench-EN" + ("" if options.normalise_case else " as published")
        return read_corpus(name, tasks, items), str(options.mederrbench)
    assert options.data.path is not None
    benchmark = open_benchmark(options.data.path)
    manifest = benchmark.manifest
    n_items = sum(n for splits in manifest.counts.values() for labels in splits.values() for n in labels.values())

    def all_items() -> Iterable[Item]:
        for split in benchmark.splits:
            yield from benchmark.items(split)

    with progress_bar("reading items", n_items) as advance:
        corpus = read_corpus(f"{manifest.name} {manifest.version}", benchmark.tasks, all_items(), advance)
    return corpus, benchmark.sha256


def run(arguments: Sequence[str]) -> int:
    """Runs `bsft-bench audit`.

    Args:
        arguments: what follows `audit`.

    Returns:
        The exit status: 0 when all limits hold, 1 when one is broken.

    Raises:
        BadInput: an argument or the benchmark is wrong, or the output holds another program's files.
    """
    options = parse_options(arguments)
    check_output(options.output)
    corpus, source = load(options)
    settings = Settings(options.max_pairs, options.seed, options.n_bootstrap, Limits(min_pairs=options.min_pairs))
    found = audit(corpus, settings)
    report = write_documents(
        found, options.output, source=source, command=shlex.join(["bsft-bench", "audit", *masked_arguments(arguments)])
    )
    show(corpus.name, report, options.output, SafeConsole())
    return 0 if found.passed else 1
