"""Text that nobody vouches for, by medium."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsft.records.escaping import csv_text, json_text, markdown, one_line, visible

LINK = "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07"


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert visible("a\x1b[31mb\x07\x9b1m\u202ec\r\x7f") == "a␛[31mb␇�1m�c␍␡"
    assert (
        visible(f"{LINK}\tand\nmore, 5 °C; 日本 👩‍⚕️")
        == "␛]8;;https://evil.example␇here␛]8;;␇\tand\nmore, 5 °C; 日本 👩‍⚕️"
    )
    assert one_line("a\n  b\r\nc\td") == "a b c d"


@given(st.text(st.characters()))
def test_shown_text_can_be_written_and_keeps_its_length(text: str) -> None:
    shown = visible(text + "\ud800")
    assert shown.encode() and len(shown) == len(text) + 1
    assert not set(shown) & {"\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\r"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<script>alert(1)</script>", r"&lt;script\>alert(1)&lt;/script\>"),
        ("a|b\nc", r"a\|b c"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
        ("![x](http://evil)", r"!\[x\](http://evil)"),
        ("`**b**`", r"\`\*\*b\*\*\`"),
        ("behavior_sft", "behavior_sft"),
        ("_x_", r"\_x\_"),
        ("&lt;", "&amp;lt;"),
        ("# heading", r"\# heading"),
        ("\x1b[1m", "␛\\[1m"),
    ],
    ids=ascii,
)
def test_markdown(text: str, found: str) -> None:
    assert markdown(text) == found


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1"], ids=ascii
)
def test_no_text_of_csv_is_a_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_text(text), -1.5])
    [[told, number]] = csv.reader(io.StringIO(stream.getvalue()))
    assert told.startswith("'") and number == "-1.5"


@pytest.mark.parametrize("text", ["lr=0.001", "a, b", "behavior_sft", ""])
def test_other_text_of_csv_stays(text: str) -> None:
    assert csv_text(text) == text


def test_json_reads_back_and_holds_no_control() -> None:
    value = {"a": [f"{LINK}\u202e\u009b\ud800", 1.5, None, "日本"]}
    text = json_text(value)
    assert json.loads(text) == value and "日本" in text
    assert visible(text) == text and text.encode()
