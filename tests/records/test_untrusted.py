"""The reader of untrusted files: each sort of damage is one sentence with the file and the place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsft.records.errors import BadInput
from bsft.records.untrusted import Missing, files, parse_json, read_json, read_lines, read_table, read_yaml

BOM = b"\xef\xbb\xbf"
Read = Callable[[Path], Any]


def complaint(read: Read, file: Path, content: bytes | None = None) -> str:
    """What a reader says of a file, without the file's name, with which it must begin."""
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput) as error:
        read(file)
    said = str(error.value)
    assert said.startswith(f"{file}: ")
    assert said.isprintable()
    return said.removeprefix(f"{file}: ")


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read", [read_json, read_yaml, lambda file: list(read_lines(file)), lambda f: read_table(f, ())]
)
def test_only_regular_files_are_read_and_none_is_waited_for(tmp_path: Path, read: Read) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert complaint(read, tmp_path / "pipe") == "is a device, pipe or socket, allowed: a regular file"
    with pytest.raises(BadInput, match="is a device"):
        read(Path("/dev/zero"))
    assert complaint(read, tmp_path) == "is a directory, allowed: a file"
    with pytest.raises(Missing, match="no such file"):
        read(tmp_path / "absent")
    with pytest.raises(Missing, match="no such file"):
        read(Path(__file__) / "below-a-file")
    with pytest.raises(BadInput, match="null"):
        read(tmp_path / "a\0b")
    with pytest.raises(BadInput, match="name too long"):
        read(tmp_path / ("a" * 300))


def test_a_file_or_a_line_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaint(lambda file: read_json(file, 10), tmp_path / "a.json", b"[" + b" " * 10).startswith(
        "larger than 10"
    )
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 10)
    said = complaint(lambda file: list(read_lines(file)), tmp_path / "a.jsonl", b"{}\n" + b"1" * 11)
    assert said.startswith("line 2: longer than 10 bytes")


def test_a_byte_order_mark_is_passed_over_at_the_beginning_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(BOM + b'{"a": 1}\n \n{"b": 2}\n')
    lines = list(read_lines(file))
    assert [(line.number, line.offset, line.raw) for line in lines] == [(1, 3, b'{"a": 1}\n'), (3, 14, b'{"b": 2}\n')]
    file.write_bytes(BOM + b'{"a": 1}')
    assert read_json(file) == read_yaml(file) == {"a": 1}
    file.write_bytes(BOM + b"a,b\n1,2\n")
    assert read_table(file, ("a", "b")).rows == ((2, {"a": "1", "b": "2"}),)
    assert "not valid JSON" in complaint(read_json, file, BOM + BOM + b"{}")


# --- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not valid JSON: EOF while parsing a value at column 0"),
        (b"{", "not valid JSON: EOF while parsing an object at column 1"),
        (b"[" * 100_000, "not valid JSON: nested more than 200 deep at column 202"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not valid JSON: a number of more than 4,300 digits at column 4308"),
        (b'{"n": ' + b"9" * 4000 + b"}", "field n: found an integer of 13,288 bits, allowed: 64"),
        (b'{"n": 18446744073709551616}', "field n: found an integer of 65 bits, allowed: 64"),
        (b'{"a": {"b": [1, NaN]}}', "field a.b.1: found nan, allowed: a finite number"),
        (b'{"a": -Infinity}', "field a: found -inf, allowed: a finite number"),
        (b'{"a": 1e999}', "field a: found inf, allowed: a finite number"),
        (b'{"name": 1, "name": 2}', 'repeated key "name" at column 20, allowed: each key once'),
        (b'[{"a": {"\\u0061": 1, "a": 2}}]', 'repeated key "a" at column 26, allowed: each key once'),
        (b'{"text": "\\ud800"}', "not valid JSON: half a surrogate pair, which is no character at column 17"),
        (b'{"text": "\\udc00"}', "not valid JSON: half a surrogate pair, which is no character at column 16"),
        (b'{"a": "caf\xe9"}', "byte 11 is 0xe9, which is not UTF-8"),
        (b"{'a': 1}", "not valid JSON: key must be a string at column 2"),
        (b"{} {}", "not valid JSON: trailing characters at column 4"),
        (b'{\n"a": 1,\n"a": 2}', 'repeated key "a" at line 3 column 5, allowed: each key once'),
    ],
)
def test_json_that_cannot_be_trusted_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    assert complaint(read_json, tmp_path / "a.json", raw) == said
    with pytest.raises(BadInput):
        parse_json(raw, "line 1")


@pytest.mark.parametrize(("raw", "kind"), [(b"[]", "an array"), (b'"x"', "a string"), (b"1", "a number")])
def test_a_json_file_holds_an_object(tmp_path: Path, raw: bytes, kind: str) -> None:
    assert complaint(read_json, tmp_path / "a.json", raw) == f"found {kind}, allowed: a JSON object"


def test_what_json_allows_is_read(tmp_path: Path) -> None:
    value = {"a": [1, -2.5, 1e300, True, None, "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]}
    raw = b'{"a": [1, -2.5, 1e300, true, null, "\\ud83d\\ude00"]}'
    assert parse_json(raw, "here") == value
    assert parse_json(b"-9223372036854775808", "here") == -(2**63)


# --- YAML -----------------------------------------------------------------------------------------------------------

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found nothing, allowed: a mapping"),
        ("- 1", "found a list, allowed: a mapping"),
        ("text", "found 'text', allowed: a mapping"),
        ("a: [1", "line 2: not valid YAML: did not find expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3", "line 3: not valid YAML: repeated key 'a'"),
        ("1: a", "found the key 1, allowed: texts"),
        ("[" * 100_000, "line 1: nested more than 100 deep"),
        ("- " * 100_000, "line 1: nested more than 100 deep"),
        ("a: &a [*a]", "line 1: alias 'a' of nothing before it, or of what holds it"),
        ("a: &a {<<: *a}", "line 1: alias 'a' of nothing before it, or of what holds it"),
        (BOMB, "line 6: more than 200,000 values, counting what aliases stand for"),
        (MERGES, "line 6: more than 200,000 values, counting what aliases stand for"),
        ("a: " + "9" * 5000, "not valid YAML: a number that cannot be read"),
        ("a: 0x" + "f" * 5000, "field a: found an integer of 20,000 bits, allowed: 64"),
        ("a: {b: .nan}", "field a.b: found nan, allowed: a finite number"),
        ("a: -.inf", "field a: found -inf, allowed: a finite number"),
        ("a: 0x_", "not valid YAML: a number that cannot be read"),
        ('a: "\\ud800"', "line 1: not valid YAML: found invalid Unicode character escape code"),
        (
            "a: !!python/name:os.system",
            "line 1: found the tag 'tag:yaml.org,2002:python/name:os.system', allowed: none",
        ),
        ("a: !!timestamp 2023-02-30", "line 1: found the tag 'tag:yaml.org,2002:timestamp', allowed: none"),
        ("? [a]\n: b", "line 1: not valid YAML: a key that is no text"),
        ("---\na: 1\n---\na: 1", "line 3: not valid YAML: but found another document"),
    ],
)
def test_yaml_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(read_yaml, tmp_path / "a.yaml", text.encode()) == said


def test_dates_stay_texts_and_aliases_are_followed(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "day: 2023-02-30\nother: 2023-02-28\nbase: &base {x: 1}\nmore: {<<: *base, y: 2}\n", encoding="utf-8"
    )
    assert read_yaml(file) == {
        "day": "2023-02-30", "other": "2023-02-28", "base": {"x": 1}, "more": {"x": 1, "y": 2},
    }  # fmt: skip


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_rows_are_numbered_as_a_spreadsheet_does_and_blank_ones_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b'a,b,\r\n1,"x\ny",\r\n,,\r\n\r\n2,z,\r\n ,\t,\r\n')
    table = read_table(file, ("b",))
    assert table.rows == ((2, {"a": "1", "b": "x\ny", "": ""}), (5, {"a": "2", "b": "z", "": ""}))
    assert table.n_blank == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Text,ID,Text\n1,2,3\n", "row 1: found column 'Text' more than once, allowed: once"),
        ("Text,ID, Text\n1,2,3\n", "row 1: found column 'Text' more than once, allowed: once"),
        ("ID\n1\n", "row 1: no column 'Text'; found: ID"),
        ("", "row 1: no column 'Text'; found: none"),
        ("Text\na\nb,c\n", "row 3: found 2 fields, allowed: 1"),
        ('Text\n"a\n', "not valid CSV: unexpected end of data"),
        ("Text\n" + "x" * 200_000, "not valid CSV: field larger than field limit (131072)"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(lambda file: read_table(file, ("Text",)), tmp_path / "a.csv", text.encode()) == said


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    assert str(BadInput(f"found {'x' * 5000!r}, allowed: 'y'")) == f"found '{'x' * 80}...', allowed: 'y'"
    two = f"found 'a'; {'/long' * 100}: found 'b'"
    assert str(BadInput(two)) == two
    assert str(BadInput("found 'a\nb\x1b[31m\ud800'")) == r"found 'a\nb\x1b[31m\ud800'"
