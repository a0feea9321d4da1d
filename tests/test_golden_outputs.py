"""Changes that should change no output are held to outputs that were kept: see `golden_files.py`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from golden_files import check, check_text, differences
from jobs import run_here, without_cost

from bsft.bench.build import BuildSpec, build
from bsft.cli import main
from bsft.report.summary import write_report
from bsft.runs.directory import PREDICTIONS, RunDirectory, run_directories

METHODS = ("baseline", "behavior_sft")
# processors round differently, which may also turn the order of two items of the 108 pairs that an area counts
METRICS = {"auc": 0.02, "auroc_proactive": 0.02}
PREDICTED = {"log_likelihood": 1e-4, "behavior_probs": 1e-4}


@pytest.mark.parametrize(
    ("found", "where"),
    [
        ({"a": 1, "b": [0.5, 2.0 + 1e-7]}, None),
        ({"a": 1, "b": [0.5, 2.0 + 1e-5]}, "/b/1: "),
        ({"a": 1.0, "b": [0.5, 2.0]}, "/a: 1.0, expected 1"),
        ({"a": 1, "b": [0.5]}, "/b: 1 entries"),
        ({"b": [0.5, 2.0], "a": 1}, ": keys ['b', 'a']"),
        ({"a": 1, "b": [None, 2.0]}, "/b/0: None"),
    ],
)
def test_a_difference_is_found(found: object, where: str | None) -> None:
    lines = differences(found, {"a": 1, "b": [0.5, 2.0]}, {})
    assert lines == [] if where is None else lines[0].startswith(where) and len(lines) == 1
    assert differences({"b": 0.51}, {"b": 0.5}, {"b": 0.05}) == []


@pytest.fixture(scope="module")
def sweep(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods on the small benchmark with the tiny model; free text for the first four items."""
    root = tmp_path_factory.mktemp("golden") / "multirun"
    options = ("trainer.score.generate_items=4", "trainer.fit.max_epochs=8", "trainer.fit.optim.lr=0.01")
    assert run_here(small, root, "-m", f"method={','.join(METHODS)}", *options) == 0
    return root / "runs"


@pytest.fixture(scope="module")
def runs(sweep: Path) -> dict[str, RunDirectory]:
    found = {str(run.metrics()["method"]): run for run in run_directories(sweep)}
    assert sorted(found) == sorted(METHODS)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_metrics(method: str, runs: dict[str, RunDirectory], update_golden: bool) -> None:
    check(f"metrics_{method}", without_cost(runs[method]), update_golden, tolerances=METRICS)


@pytest.mark.parametrize("method", METHODS)
def test_predictions(method: str, runs: dict[str, RunDirectory], update_golden: bool) -> None:
    lines = (runs[method].path / PREDICTIONS).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    check(f"predictions_{method}", found, update_golden, tolerances=PREDICTED)


def _without_times(text: str) -> str:
    """The Markdown table without its columns of seconds."""
    lines = []
    kept: list[int] = []
    for line in text.splitlines():
        cells = line.split(" | ")
        if line.startswith("| method"):
            kept = [i for i, cell in enumerate(cells) if "time" not in cell]
        lines.append(" | ".join(cells[i] for i in kept) if line.startswith("| ") else line)
    return "\n".join(lines) + "\n"


def test_report(sweep: Path, update_golden: bool) -> None:
    write_report(sweep)
    check_text("table.md", _without_times((sweep / "report" / "table.md").read_text(encoding="utf-8")), update_golden)
    rows = csv.DictReader(io.StringIO((sweep / "report" / "table.csv").read_text(encoding="utf-8")))
    found = [{k: _number(v) for k, v in row.items() if not k.startswith(("fit_s", "score_s"))} for row in rows]
    check("table_csv", found, update_golden, tolerances={})


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


@pytest.mark.slow
def test_audit(tmp_path: Path, update_golden: bool) -> None:
    build(BuildSpec(60), tmp_path / "open", progress=False)
    # so few cases are too few for a limit to be broken
    assert main(["audit", str(tmp_path / "open"), f"--output={tmp_path / 'audit'}"]) == 0
    found: dict[str, Any] = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    for changing in ("command", "bsft"):
        del found[changing]
    check("audit", found, update_golden, tolerances={}, tolerance=1e-9)
