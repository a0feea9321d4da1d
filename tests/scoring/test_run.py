"""Scoring a run: what is generated, and for which items."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jobs import run_here
from small import TASKS, case_items

from bsft.records.schema import Item, Locus
from bsft.records.store import write_benchmark
from bsft.runs.directory import PREDICTIONS, run_directories

N_ITEMS = 3


def shown_first(item: Item) -> Item:
    """The same item, with its problem in the turn that is the first to go."""
    if item.perturbation is None:
        return item
    moved = item.perturbation.model_copy(update={"locus": Locus(turn=0, role="resident", field="allergy")})
    return item.model_copy(update={"perturbation": moved})


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of alerts, of which every second loses its evidence in a scene of 60 tokens."""
    directory = tmp_path_factory.mktemp("benchmark") / "cut_off"
    items = [shown_first(item) for case in range(4) for item in case_items(case, "test")[2:]]
    write_benchmark(directory, {"test": items}, TASKS[2:], name="cut_off", version="1", seed=0, licence="Apache-2.0")
    return directory


def test_nothing_is_generated_for_items_that_lost_their_evidence(cut_off: Path, root: Path) -> None:
    limits = ("data.scene_tokens=60", f"trainer.score.generate_items={N_ITEMS}", "trainer.score.max_new_tokens=2")
    assert run_here(cut_off, root, "method=baseline", *limits) == 0
    [run] = run_directories(root / "runs")
    lines = [json.loads(line) for line in (run.path / PREDICTIONS).read_text().splitlines()]
    lost = [line for line in lines if line["evidence_lost"]]
    assert len(lines) == 8 and len(lost) == 4
    assert all(line["text"] is None for line in lost)
    generated = [line for line in lines if line["text"] is not None]
    assert len(generated) == N_ITEMS == run.metrics()["generation"]["n"]
    assert run.metrics()["n"] == 4
