"""The one kind of table in each of its forms."""

from __future__ import annotations

import csv
import io

import jinja2
import pytest

from bsft.display.console import SafeConsole
from bsft.display.table import NONE, Cell, Column, Table

COLUMNS = (
    Column("job name", "code"),
    Column("over-intervention", "number", "95 % CI", rank=1, name="over"),
    Column("remark", "long", rank=2),
)
TABLE = Table(
    "Jobs",
    COLUMNS,
    [
        [Cell("=a|b"), Cell("0.250", "[0.100, 0.400]", "bad", 0.25), Cell("<b>x</b>")],
        [Cell("c"), Cell(NONE, tone="soft"), Cell("_y_", tone="failed")],
    ],
    "How to read it.",
    frozenset({1}),
)


def printed(width: int, table: object) -> str:
    stream = io.StringIO()
    SafeConsole(file=stream, width=width).print(table)
    return stream.getvalue()


def test_markdown_escapes_and_marks_what_breaks_a_limit() -> None:
    assert TABLE.markdown().splitlines() == [
        "| job name | over-intervention [95 % CI] | remark |",
        "| :-- | --: | :-- |",
        "| =a\\|b | **0.250 [0.100, 0.400]** | &lt;b\\>x&lt;/b\\> |",
        f"| c | {NONE} | \\_y\\_ |",
    ]


def test_a_spread_of_words_is_escaped_in_markdown() -> None:
    assert Cell("1", "[x](http://evil)").markdown() == "1 \\[x\\](http://evil)"
    assert Cell("1", "[[x](http://evil)]").markdown() == "1 [\\[x\\](http://evil)]"


def test_csv_holds_unrounded_numbers_under_the_columns_names() -> None:
    header, first, second = csv.reader(io.StringIO(TABLE.csv()))
    assert header == ["job name", "over", "remark"]
    assert first == ["'=a|b", "0.25", "<b>x</b>"]
    assert second == ["c", NONE, "_y_"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, Cell("")), ("=x", Cell("=x")), (-0.0, Cell("-0.0", number=-0.0)), (3, Cell("3", number=3))],
)
def test_a_cell_of_a_value(value: float | str | None, cell: Cell) -> None:
    assert Cell.of(value) == cell


def test_a_terminal_shows_spreads_below_values_and_a_line_at_breaks() -> None:
    lines = printed(80, TABLE.rich()).splitlines()
    assert lines[0].startswith("Jobs")
    [value] = [i for i, line in enumerate(lines) if "0.250" in line]
    assert "[0.100, 0.400]" in lines[value + 1] and "├" in lines[value + 2]


def test_a_brief_table_has_its_note_and_no_spreads() -> None:
    text = printed(80, TABLE.rich(brief=True))
    assert "How to read it." in text and "0.250" in text and "0.100" not in text and "│" not in text


def test_columns_go_by_rank_where_there_is_no_room() -> None:
    wide, narrow, narrowest = (SafeConsole(file=io.StringIO(), width=width) for width in (80, 30, 10))
    assert TABLE.fitting(wide)[1] == []
    assert [column.key for column in TABLE.fitting(narrow)[1]] == ["remark"]
    table, dropped = TABLE.fitting(narrowest)
    assert [column.key for column in dropped] == ["over", "remark"]
    assert [column.header for column in table.columns] == ["job name"]


def test_html_escapes_and_names_tones_kinds_and_breaks() -> None:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("bsft.display"), autoescape=True, trim_blocks=True)
    html = str(environment.get_template("tables.html.j2").module.titled(TABLE))  # type: ignore[attr-defined]
    assert "&lt;b&gt;x" in html and "<b>" not in html
    assert '<td class="number bad">0.250<small>[0.100, 0.400]</small></td>' in html
    assert '<th scope="row" class="code">c</th>' in html
    assert html.count('<tr class="break">') == 1 and "<small>95 % CI</small>" in html
