"""The tables about raising alarms say what a run's `flags` say, and are not there without them."""

from __future__ import annotations

import json
from pathlib import Path

from made_runs import FLAGS, Sweep

from bsft.report.rows import Row, blocks, comparison
from bsft.report.sweep import read_sweep
from bsft.report.tables import kinds_table, values_table


def rows_of(path: Path) -> list[Row]:
    return comparison(read_sweep(path).jobs)


def made(tmp_path: Path, seeds: tuple[int, ...] = (0,)) -> list[Row]:
    sweep = Sweep(tmp_path / "sweep")
    for seed in seeds:
        sweep.job("baseline", seed=seed)
    return rows_of(sweep.path)


def test_figures_stand_with_their_intervals_and_beside_what_chance_gives(tmp_path: Path) -> None:
    table = values_table("Raising alarms", made(tmp_path), False)
    assert [column.header for column in table.columns][1:3] == ["AUC", "paired AUC"]
    [line] = table.rows
    assert [cell.value for cell in line] == ["baseline", "0.710", "0.830", "0.200", "0.610", "0.450", "0.210"]
    assert line[2].spread == "[0.700, 0.900]"


def test_matched_over_intervention_with_and_without_the_prior(tmp_path: Path) -> None:
    table = values_table("At matched over-intervention", made(tmp_path), False)
    assert [[cell.value for cell in line] for line in table.rows] == [
        ["baseline", "as it is", "0.710", "0.370", "0.048", "0.410"],
        ["baseline", "prior removed", "0.770", "0.390", "–", "–"],
    ]
    assert table.note is not None and "5 %" in table.note


def test_effects_stand_beside_their_noise(tmp_path: Path) -> None:
    [line] = values_table("Effect and noise", made(tmp_path), False).rows
    assert [cell.value for cell in line] == ["baseline", "2.500", "0.400", "–", "0.600"]


def test_kinds_are_rows_with_their_pairs_and_seeds_become_a_mean(tmp_path: Path) -> None:
    [block] = blocks(made(tmp_path, (0, 1)))
    table = kinds_table(block)
    assert [[cell.value for cell in line] for line in table.rows] == [
        ["critical/vital sign", "40", "0.920"],
        ["error/side", "30", "0.520"],
    ]
    assert table.rows[0][2].spread == "± 0.000"


def test_a_run_without_flags_has_no_such_rows(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "sweep")
    directory = sweep.job("baseline")
    file = directory / "metrics.json"
    metrics = json.loads(file.read_text())
    assert metrics.pop("flags") == json.loads(json.dumps(FLAGS))
    file.write_text(json.dumps(metrics))
    rows = rows_of(sweep.path)
    for title in ("Raising alarms", "At matched over-intervention"):
        assert not values_table(title, rows, False).rows
    assert not kinds_table(blocks(rows)[0]).rows
