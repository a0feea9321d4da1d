"""A benchmark from cases, whoever wrote them: only tasks whose truth is certain from the record.

Which split each case belongs to is decided before any item is made: cases with the same diagnosis, and cases that
retell each other, stay in one split.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bsft.bench.left_out import Reasons
from bsft.bench.recorded.make import make_items, specs_of
from bsft.bench.recorded.naming import name_words
from bsft.importing.files import CASES_FILE, fresh_directory, near_duplicate_cases, read_cases
from bsft.importing.near_duplicates import connected
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput
from bsft.records.schema import Case, Manifest
from bsft.records.store import check_replaceable, write_benchmark
from bsft.records.store.writing import ITEMS_REPORT

VERSION = "caseitems-1"
"""Changes when the same cases would give other items."""


@dataclass(frozen=True)
class Shares:
    """How cases are divided; test gets what train and val leave. Cases of one diagnosis stay together.

    Attributes:
        train: part of the cases for training.
        val: part for validation.
    """

    train: float = 0.7
    val: float = 0.1

    def __post_init__(self) -> None:
        for name in ("train", "val"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name}: found {getattr(self, name):g}, allowed: 0 to 1")
        if self.train + self.val > 1:
            raise BadInput(f"train, val: found {self.train:g} and {self.val:g}, allowed: together at most 1")

    def counts(self, n_cases: int) -> dict[str, int]:
        train, val = round(n_cases * self.train), round(n_cases * self.val)
        return {"train": train, "val": val, "test": n_cases - train - val}


def families(cases: Sequence[Case]) -> list[list[int]]:
    """Indices of cases that must stay together, as sets that share a diagnosis or a retold story."""
    first_of: dict[frozenset[str], int] = {}
    pairs = [(first_of.setdefault(frozenset(name_words(case.diagnosis)), i), i) for i, case in enumerate(cases)]
    pairs += [(i, j) for i, j, _ in near_duplicate_cases(cases)]
    return connected(len(cases), pairs)


def plan(cases: Sequence[Case], shares: Shares, seed: int) -> Mapping[str, list[Case]]:
    """Cases by split, each in the order of the source; a split without cases is absent."""
    left = shares.counts(len(cases))
    groups = families(cases)
    random.Random(f"{seed}/plan").shuffle(groups)
    split_of: dict[int, str] = {}
    for group in sorted(groups, key=len, reverse=True):
        # Large families first, each to the split that lacks most of its share.
        split = max(left, key=lambda name: left[name])
        left[split] -= len(group)
        split_of |= dict.fromkeys(group, split)
    by_split = {split: [case for i, case in enumerate(cases) if split_of[i] == split] for split in left}
    return {split: members for split, members in by_split.items() if members}


def make_benchmark(source: Path, output: Path, *, name: str, shares: Shares, seed: int) -> tuple[Manifest, Reasons]:
    """Reads cases, makes their items and writes them with the report.

    Args:
        source: a file of cases, or a directory that holds one.
        seed: decides every random choice.

    Raises:
        BadInput: the cases cannot be read, no item can be made of them, or the output holds something else.
    """
    check_replaceable(output, source=source)
    file = source / CASES_FILE if source.is_dir() else source
    report = ImportReport("items", str(source))
    cases = list(read_cases(file, report))
    items, reasons = make_items(plan(cases, shares, seed), seed)
    if not items:
        first = next(iter(next(iter(reasons.counts.values()))))
        raise BadInput(f"{file}: no item could be made of its {len(cases)} cases: {first}")
    licence = ", ".join(sorted({case.licence for case in cases}))
    note = f"Made from {len(cases)} cases of {file.name}, SHA-256 {report.sha256[file.name]}."
    with fresh_directory(output, source) as directory:
        manifest = write_benchmark(
            directory, items, specs_of(items), name=name, version=VERSION, seed=seed, licence=licence,
            notes=[note],
        )  # fmt: skip
        text = json.dumps({"cases": len(cases), "sha256": report.sha256, "left_out": reasons.counts}, indent=2)
        (directory / ITEMS_REPORT).write_text(text + "\n", encoding="utf-8")
    return manifest, reasons
