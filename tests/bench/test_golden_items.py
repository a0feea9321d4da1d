"""Every item that bsft makes is, byte for byte, the one whose digest is kept in tests/golden/items.json.

Who means to change items changes them there, too, and says why; `python tests/bench/test_golden_items.py` prints what
is made now.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from note_files import all_rows, write
from story_cases import STORIES, all_cases, case

from bsft.bench.build import BuildSpec, build
from bsft.importing.agentclinic import import_agentclinic
from bsft.importing.files import CASES_FILE, ImportedBenchmark, write_records
from bsft.importing.mederrbench import import_mederrbench
from bsft.importing.recorded_items import Shares, make_benchmark
from bsft.importing.report import ImportReport
from bsft.records.schema import Case
from bsft.records.store import line_of
from bsft.records.store.writing import ITEMS_REPORT

GOLDEN = Path(__file__).parent.parent / "golden" / "items.json"

Digests = Mapping[str, str]
Make = Callable[[Path], Digests]
"""Makes items in an empty directory, and returns digests of what was made, by name."""


def _sha256(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()


def _built(**options: int | bool) -> Make:
    def make(directory: Path) -> Digests:
        return build(BuildSpec(**options), directory / "out", progress=False).sha256  # type: ignore[arg-type]

    return make


def _of_cases(cases: Callable[[], list[Case]], seed: int = 0, **shares: float) -> Make:
    def make(directory: Path) -> Digests:
        write_records(directory / CASES_FILE, cases())
        source, output = directory / CASES_FILE, directory / "out"
        manifest, _ = make_benchmark(source, output, name="cases", shares=Shares(**shares), seed=seed)
        report = (output / ITEMS_REPORT).read_text(encoding="utf-8")
        return {**manifest.sha256, ITEMS_REPORT: _sha256([report])}

    return make


def _mixed_cases() -> list[Case]:
    """Cases of all sorts: children, the old, records that lack this or that, and one with a critical value."""
    people = [(0.4, "male"), (7.0, "female"), (17.0, "male"), (29.0, "male"), (88.0, "female")]
    found = [
        case(name, i, demographics={"age_years": age, "sex": sex})
        for i, (age, sex) in enumerate(people)
        for name in STORIES
    ]
    whole = case("Iritis", 9)
    for kind in ("symptom", "history", "exam", "vital", "lab"):
        facts = [fact.model_dump() for fact in whole.facts if fact.kind != kind]
        found.append(case("Iritis", len(found), facts=facts, events=[]))
    critical = {"name": "CBC, Hemoglobin", "text": "CBC, Hemoglobin: 6.1 g/dL", "value": 6.1}
    facts = [fact.model_dump() | (critical if fact.name == critical["name"] else {}) for fact in whole.facts]
    return [*found, case("Iritis", len(found), facts=facts)]


def _agentclinic() -> list[Case]:
    file = Path(os.environ["BSFT_AGENTCLINIC"])
    return import_agentclinic(file, ImportReport("agentclinic", str(file)))


def _imported(benchmark: ImportedBenchmark) -> Digests:
    tasks = [task.model_dump_json() for task in benchmark.tasks]
    return {"tasks": _sha256(tasks)} | {
        split: _sha256(line_of(item) for item in items) for split, items in benchmark.items.items()
    }


def _small_mederrbench(directory: Path) -> Digests:
    return _imported(import_mederrbench(write(directory, all_rows()), min_kind_test_items=1, seed=5))


def _mederrbench(directory: Path) -> Digests:
    return _imported(import_mederrbench(Path(os.environ["BSFT_MEDERRBENCH"])))


MAKERS: Mapping[str, Make] = {
    "open, seed 1": _built(n_cases=60, seed=1),
    "open, nothing held out": _built(n_cases=60, heldout=False),
    "stories": _of_cases(all_cases, train=0.5),
    "mixed cases": _of_cases(_mixed_cases, train=0.4, val=0.2, seed=8),
    "small MedErrBench": _small_mederrbench,
}
PUBLISHED: Mapping[str, tuple[str, Make]] = {
    "AgentClinic": ("BSFT_AGENTCLINIC", _of_cases(_agentclinic)),
    "MedErrBench": ("BSFT_MEDERRBENCH", _mederrbench),
}
"""Data that somebody else published: the variable that says where it lies, and the maker."""


@pytest.mark.parametrize("name", MAKERS)
def test_items_are_the_golden_ones(name: str, tmp_path: Path) -> None:
    assert MAKERS[name](tmp_path) == json.loads(GOLDEN.read_text())[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_items_of_published_data_are_the_golden_ones(name: str, tmp_path: Path) -> None:
    variable, make = PUBLISHED[name]
    if variable not in os.environ:
        pytest.skip(f"{variable} names no data")
    assert make(tmp_path) == json.loads(GOLDEN.read_text())[name]


def _all_digests() -> dict[str, Digests]:
    makers = dict(MAKERS) | {name: make for name, (variable, make) in PUBLISHED.items() if variable in os.environ}
    found = {}
    for name, make in makers.items():
        with tempfile.TemporaryDirectory() as directory:
            found[name] = make(Path(directory))
    return found


if __name__ == "__main__":
    json.dump(_all_digests(), sys.stdout, indent=2)
    print()
