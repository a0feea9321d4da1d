"""Mutations of files, as hypothesis strategies: damage of bytes, and damage that keeps the syntax."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import yaml
from hypothesis import strategies as st

Kind = Literal["json", "lines", "yaml", "csv", "bytes"]
Path_ = tuple[str | int, ...]

BOM = b"\xef\xbb\xbf"
FRAGMENTS = [
    BOM, b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"nan", b"9" * 5000,
    b"[" * 20_000, b'{"a":' * 1000, b"- " * 1000, b"\r", b"\n", b"\n\n", b",", b",,,,,,,,\n", b'"', b"'", b"\\", b":",
    b"}", b"]", b"{}", b"&a [*a]", b"*a", b"<<: *a\n", b"!!timestamp 2023-02-30", b"2023-02-30", b"0x_", b"---\n",
    b"\x1b[31m", b"-", b"\t", b"\xe2\x80\xa8", b"\xc2\x85", b"null", b"true", b"=", b"%", b"#", b"| ",
]  # fmt: skip
"""What is put somewhere into a file."""

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 10**4000, 0.0, -0.5, 1e308, float("nan"), float("inf"), "",
    " ", "nan", "x", "²", "٣", "\u2028", "\x00", "\x1b[31m", "\ud800", "9" * 5000, "a/../../b", "A" * 300, [], {}, [[]],
    [None], [1, 2], {"": {}}, {"a": 1}, "0", "1e999", "2023-02-30", "yes", "a:b", ["a", "a"],
]  # fmt: skip
"""What takes the place of a value."""

DIRECTORY, PIPE, ABSENT = b"<directory>", b"<pipe>", b"<absent>"
"""Stand for what is no file."""


def mutations(valid: bytes, kind: Kind) -> st.SearchStrategy[bytes]:
    """Damaged forms of a valid file."""
    anywhere = st.integers(0, max(0, len(valid) - 1))
    of_bytes = [
        st.builds(lambda at, byte: valid[:at] + bytes([byte]) + valid[at + 1 :], anywhere, st.integers(0, 255)),
        st.builds(lambda at: valid[:at], anywhere),
        st.builds(lambda at, end: valid[:at] + valid[end:], anywhere, anywhere),
        st.builds(lambda at, more: valid[:at] + more + valid[at:], anywhere, st.sampled_from(FRAGMENTS)),
        st.builds(lambda at, more: valid[:at] + more + valid[at + len(more) :], anywhere, st.sampled_from(FRAGMENTS)),
        st.sampled_from([
            b"", b"\n", BOM, BOM + valid, BOM + BOM + valid, valid + valid, valid.replace(b"\n", b"\r\n"),
            valid.replace(b"\n", b"\r"), valid.decode(errors="replace").encode("utf-16"), *FRAGMENTS, DIRECTORY, PIPE,
            ABSENT,
        ]),
    ]  # fmt: skip
    if kind == "csv":
        return st.one_of(*of_bytes, _of_cells(valid))
    if kind == "bytes":
        return st.one_of(*of_bytes)
    return st.one_of(*of_bytes, *[_of_values(valid, kind)] * 6)


@st.composite
def _of_values(draw: st.DrawFn, valid: bytes, kind: Kind) -> bytes:
    """One value replaced, removed, added or repeated."""
    if kind == "lines":
        lines = valid.splitlines(keepends=True)
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = draw(_of_values(lines[at].rstrip(b"\n"), "json")) + b"\n"
        return b"".join(lines)
    tree = json.loads(valid) if kind == "json" else yaml.safe_load(valid)
    for _ in range(draw(st.integers(1, 3))):
        tree = _changed(draw, tree)
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        keys = sorted({path[-1] for path in _paths(tree) if path and isinstance(path[-1], str)})
        if keys:
            key = json.dumps(draw(st.sampled_from(keys)))
            text = text.replace(f"{key}:", f"{key}: 0, {key}:", 1)
    return text.encode("utf-8", "surrogatepass")


def _changed(draw: st.DrawFn, tree: Any) -> Any:
    paths = list(_paths(tree))
    path = draw(st.sampled_from(paths))
    value = copy.deepcopy(draw(st.sampled_from(VALUES)))
    if not path:
        return value
    tree = copy.deepcopy(tree)
    holder = tree
    for step in path[:-1]:
        holder = holder[step]
    match draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "copy"])):
        case "replace":
            holder[path[-1]] = value
        case "remove":
            del holder[path[-1]]
        case "add" if isinstance(holder, dict):
            holder[draw(st.sampled_from(["other", "", "\ud800", "a.b", "id", "0"]))] = value
        case "add":
            holder.insert(int(path[-1]), value)
        case "copy":
            source: Any = tree
            for step in draw(st.sampled_from(paths)):
                source = source[step]
            holder[path[-1]] = copy.deepcopy(source)
    return tree


def _paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in members:
        yield from _paths(child, (*path, key))


@st.composite
def _of_cells(draw: st.DrawFn, valid: bytes) -> bytes:
    """One cell replaced, removed or repeated, perhaps in the header."""
    rows = list(csv.reader(io.StringIO(valid.decode(), newline="")))
    row = draw(st.sampled_from(rows))
    at = draw(st.integers(0, len(row) - 1))
    texts = [value for value in VALUES if isinstance(value, str)]
    match draw(st.sampled_from(["replace", "replace", "remove", "repeat", "blank", "twice"])):
        case "replace":
            row[at] = draw(st.sampled_from([*texts, *rows[0], *rows[-1], "-1", "NA"]))
        case "remove":
            del row[at]
        case "repeat":
            row.insert(at, row[at])
        case "blank":
            rows.insert(draw(st.integers(0, len(rows))), [""] * len(row))
        case "twice":
            rows.insert(draw(st.integers(0, len(rows))), list(row))
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")
