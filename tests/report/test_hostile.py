"""Names and reasons that nobody vouches for, in every medium of a report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from made_runs import Sweep
from rich.table import Table
from small import case_items

from bsft.cli import main
from bsft.display.canvas import to_bytes
from bsft.display.console import SafeConsole
from bsft.report.figures import radar_figure
from bsft.report.palette import line_styles
from bsft.report.rows import blocks, comparison
from bsft.report.summary import markdown, page
from bsft.report.sweep import read_sweep
from bsft.report.tables import comparison_table, unfinished_table, unrounded_table
from bsft.show.find import Found
from bsft.show.item import item_view

MARKUP = "[/red][bold]"
HTML = '<img src="x" onerror="alert(1)">'
FORMULA = '=HYPERLINK("http://evil.example")'
ESCAPE = "\x1b[31m\x1b]8;;http://evil.example\x07y\u202e\x9b1m"
MATHS = "$\\frac{$"
TASK = f"{MARKUP}{HTML}|{ESCAPE}"


@pytest.fixture
def hostile(tmp_path: Path) -> Sweep:
    """A sweep whose own name, job's names, tasks and reasons are all meant badly."""
    sweep = Sweep(tmp_path / "multirun" / f"{MARKUP}{ESCAPE.replace('/', '')}")
    file = sweep.job("baseline", tasks={"error_correction": 0.5, "ddx_reasoning": -0.0}, naive={}) / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics |= {"method": f"-{HTML}", "model": FORMULA, "data": f"@{MARKUP}{ESCAPE}"}
    scores = metrics["task"].values()
    metrics["task"] = dict(zip((TASK, MATHS), scores, strict=True))
    file.write_text(json.dumps(metrics))
    sweep.job("instructed", state="failed", reason=f"{MARKUP}{HTML}|{ESCAPE}\nOPENAI_API_KEY=abc")
    return sweep


def obeyed(text: str) -> bool:
    return any(control in text for control in ("\x1b", "\x07", "\x9b", "\u202e"))


def test_on_a_terminal_nothing_is_obeyed(hostile: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status in ((["status"], 1), (["status", "--json"], 1), (["report", "--json"], 0)):
        assert main([*arguments, str(hostile.path)]) == status
        told = capsys.readouterr()
        assert told.err == ""
        assert MARKUP in told.out and not obeyed(told.out)


def test_tables_on_a_terminal_show_names_as_they_are(hostile: Sweep) -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=400)
    sweep = read_sweep(hostile.path)
    console.print(comparison_table(comparison(sweep.jobs), sweep.name).fitting(console)[0])
    console.print(unfinished_table(sweep.unfinished).rich())
    told = stream.getvalue()
    assert MARKUP in told and HTML in told and not obeyed(told)


def test_csv_holds_no_formula_and_numbers_stay_numbers(hostile: Sweep) -> None:
    text = unrounded_table(comparison(read_sweep(hostile.path).jobs)).csv()
    [header, line] = csv.reader(io.StringIO(text))
    assert not obeyed(text) and text.encode()
    assert [cell for cell in (*header, *line) if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == ["-0.0"]
    found = dict(zip(header, line, strict=True))
    assert (found["method"], found["model"]) == (f"'-{HTML}", f"'{FORMULA}")
    assert float(found["mcc"]) == 0.25


def test_markdown_holds_no_html_and_no_link(hostile: Sweep) -> None:
    sweep = read_sweep(hostile.path)
    text = markdown(sweep, comparison(sweep.jobs))
    assert "<img" not in text and "[/red]" not in text and not obeyed(text) and text.encode()
    assert "&lt;img" in text and "\\[/red\\]" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.replace("\\|", "").count("|") for line in rows[-2:]] == [4, 4]


def test_html_holds_no_markup_of_theirs(hostile: Sweep) -> None:
    sweep = read_sweep(hostile.path)
    rows = comparison(sweep.jobs)
    text = page(sweep, rows, blocks(rows), {"radar": [], "restraint": [], "curves": []})
    assert "<img" not in text and "&lt;img" in text and not obeyed(text) and text.encode()


def test_figures_read_no_mathematics(hostile: Sweep) -> None:
    rows = comparison(read_sweep(hostile.path).jobs)
    figure = radar_figure(blocks(rows), line_styles(rows), MATHS)
    assert MATHS.encode() in to_bytes(figure, "svg")


def test_a_console_obeys_neither_markup_nor_controls() -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=80, force_terminal=True, color_system=None)
    table = Table(title=f"{MARKUP}:smile:")
    table.add_column(MARKUP)
    table.add_row(ESCAPE)
    console.print(table)
    console.print(f"{MARKUP}{ESCAPE}")
    assert stream.getvalue().count("[/red]") == 3 and ":smile:" in stream.getvalue()
    assert not obeyed(stream.getvalue().replace("\x1b[3m", "").replace("\x1b[0m", "").replace("\x1b[1m", ""))


def test_all_that_is_shown_goes_through_one_console() -> None:
    package = Path(__file__).resolve().parents[2] / "bsft"
    own = {file for file in package.rglob("*.py") if file.name != "console.py"}
    consoles = [str(file) for file in own for line in file.read_text().splitlines() if " Console(" in line]
    marked = [str(file) for file in own if "from_markup" in file.read_text() or "rich.print" in file.read_text()]
    assert consoles == [] and marked == []


def test_an_item_is_shown_and_not_obeyed() -> None:
    bad = f"{MARKUP}{ESCAPE}"
    item = case_items(1, "train")[0]
    turns = [turn.model_copy(update={"text": bad, "speaker": bad}) for turn in item.turns]
    options = [option.model_copy(update={"text": bad}) for option in item.options]
    texts = {"id": bad, "task": bad, "query": bad, "specialty": bad, "turns": turns, "options": options}
    stream = io.StringIO()
    SafeConsole(file=stream, width=110).print(item_view(Found(item.model_copy(update=texts), None)))
    assert MARKUP in stream.getvalue() and not obeyed(stream.getvalue())
