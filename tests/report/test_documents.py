"""The comparison as Markdown, CSV and terminal table."""

from __future__ import annotations

import csv
import io

import pytest
from made_runs import BEHAVIOR, GROUPS, Sweep
from rich.console import Console

from bsft.display.table import Cell
from bsft.report.rows import comparison
from bsft.report.summary import markdown
from bsft.report.sweep import read_sweep
from bsft.report.tables import comparison_table, duration, notes, score, score_cell, unrounded_table
from bsft.report.values import RowValue


def table_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_markdown(sweep: Sweep) -> None:
    sweep.job("baseline", tasks=dict.fromkeys(GROUPS, 0.3), over_intervention_rate=0.4)
    for seed, value in ((0, 0.7), (1, 0.9)):
        cost = {"fit_s": 600.0, "score_s": 30.0}
        sweep.job("behavior_sft", seed=seed, tasks=dict.fromkeys(GROUPS, value), behavior=BEHAVIOR, cost=cost)
    read = read_sweep(sweep.path)
    text = markdown(read, comparison(read.jobs))
    assert text.startswith("# demo\n\nmodel smollm2_135m, data behaviorbench_open/test\n\n")
    header, rule, baseline, behavior, *naive = table_of(text)
    assert header == [
        "method",
        "seeds",
        "n",
        "macro-F1 [95 % CI]",
        "reactive",
        "balanced",
        "proactive",
        "accuracy",
        "MCC",
        "over-intervention [95 % CI]",
        "paired AUC [95 % CI]",
        "pair accuracy",
        "token accuracy",
        "fit time",
        "score time",
    ]
    assert rule[0] == ":--" and set(rule[1:]) == {"--:"}
    assert baseline[:5] == ["baseline", "1", "1,200", "0.300 [0.250, 0.350]", "0.300"]
    assert baseline[9:] == ["0.400 [0.200, 0.800]", "0.830 [0.700, 0.900]", "0.450", "–", "–", "1 min 15 s"]
    assert behavior[:5] == ["behavior_sft", "2", "1,200", "0.800 ± 0.141", "0.800 ± 0.141"]
    assert behavior[12:] == ["0.800 ± 0.000", "10 min", "30 s"]
    assert [row[0] for row in naive] == ["always-flag", "never-flag", "majority", "random"]
    assert "report accuracy in that slot: ddx_reasoning, temporal_ordering." in text
    assert "bootstrap over cases" in text and "deviation over seeds" in text
    assert "## Not done" not in text


def test_markdown_lists_what_is_not_done_and_escapes_bars(sweep: Sweep) -> None:
    sweep.job("baseline")
    failed = sweep.job("behavior_sft", state="failed", reason="a | b\nc")
    read = read_sweep(sweep.path)
    assert f"| {failed.name} | failed | a \\| b c |" in markdown(read, comparison(read.jobs))


def test_only_columns_with_something_to_say(sweep: Sweep) -> None:
    sweep.job("baseline", tasks={"error_correction": 0.5}, naive={})
    sweep.job("baseline", tasks={"error_correction": 0.5}, naive={}, model="gemma3_270m")
    read = read_sweep(sweep.path)
    header = table_of(markdown(read, comparison(read.jobs)))[0]
    assert "model" in header and "data" not in header and "seeds" not in header
    assert "reactive" not in header and "token accuracy" not in header


def test_the_silent_row_has_its_footnote(sweep: Sweep) -> None:
    sweep.job("general_sft", tasks=dict.fromkeys(GROUPS, 0.4), over_intervention_rate=0.0)
    read = read_sweep(sweep.path)
    text = markdown(read, comparison(read.jobs))
    assert "0.400†" in table_of(text)[2]
    assert "† equals never-flag: it has learnt to stay silent." in text


def test_lost_items_are_told(sweep: Sweep) -> None:
    sweep.job("baseline", n_evidence_lost=12)
    told = notes(comparison(read_sweep(sweep.path).jobs))
    assert "Up to 12 items that lost their evidence when they were shortened are left out of n." in told


def test_csv_is_unrounded_and_whole(sweep: Sweep) -> None:
    sweep.job("general_sft", seed=0, tasks={"error_correction": 1 / 3})
    sweep.job("general_sft", seed=1, tasks={"error_correction": 2 / 3})
    sweep.job("baseline", tasks={"error_correction": 1 / 3})
    baseline, fitted, always_flag, *_ = csv.DictReader(
        io.StringIO(unrounded_table(comparison(read_sweep(sweep.path).jobs)).csv())
    )
    assert (baseline["kind"], baseline["method"], baseline["seeds"]) == ("method", "baseline", "0")
    assert float(baseline["macro_f1"]) == 1 / 3
    assert float(baseline["macro_f1_ci95_low"]) == pytest.approx(1 / 3 - 0.05)
    assert baseline["macro_f1_sd"] == "" and baseline["reactive"] == ""
    assert float(baseline["task.error_correction_ci95_high"]) == pytest.approx(1 / 3 + 0.1)
    assert (fitted["method"], fitted["seeds"], float(fitted["macro_f1"])) == ("general_sft", "0 1", 0.5)
    assert float(fitted["task.error_correction_sd"]) == pytest.approx(1 / 3 / 2**0.5)
    assert float(fitted["score_s"]) == 75
    assert (always_flag["kind"], always_flag["method"], always_flag["seeds"]) == ("naive", "always-flag", "")


def test_a_narrow_terminal_drops_the_least_important_columns(five_methods: Sweep) -> None:
    rows = comparison(read_sweep(five_methods.path).jobs)
    wide, narrow = (Console(width=width, file=io.StringIO()) for width in (220, 70))
    assert comparison_table(rows).fitting(wide)[1] == []
    table, dropped = comparison_table(rows).fitting(narrow)
    assert [column.key for column in dropped][-2:] == ["token_accuracy", "score_s"]
    headers = [str(column.header) for column in table.columns]
    assert headers[:3] == ["method", "n", "macro-F1"] and "proactive" in headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (9.96, "10.0 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (2520, "42 min"),
        (3900, "1 h 05 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_cells() -> None:
    assert score(-0.0314) == "−0.031"
    assert score_cell(None, interval=True) == Cell("–")
    assert str(score_cell(RowValue(0.5, None, (0.4, 0.6)), interval=True)) == "0.500 [0.400, 0.600]"
    assert str(score_cell(RowValue(0.5, None, (0.4, 0.6)), interval=False)) == "0.500"
    assert str(score_cell(RowValue(0.5, 0.02), interval=False)) == "0.500 ± 0.020"
