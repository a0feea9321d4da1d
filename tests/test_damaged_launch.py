"""What `bsft-train` is given and cannot use: damaged items, configs and overrides, told before the first job."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from launching import Launch
from small import case_items

from bsft.records.store import line_of


def write_items(file: Path, more: bytes = b"") -> Path:
    """Items of cases that are each in one split, with a byte order mark before them."""
    lines: list[str] = []
    for split, case in itertools.product(("train", "test"), range(4)):
        lines += [line_of(item).replace(f'"case{case}', f'"{split}{case}') for item in case_items(case, split)]
    file.write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode() + more)
    return file


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 33: not valid JSON"),
        (b"[" * 100_000, "line 33: not valid JSON: nested more than 200 deep"),
        (b'{"task": "a", "task": "b"}', 'line 33: repeated key "task"'),
        (b'{"task": NaN}', "line 33: field id: missing"),
        (b'{"task": "a", "split": "test", "label": 3}', "line 33: field id: missing"),
        (b"[]", "line 33: field record: found []"),
        (b'{"task": "caf\xe9"}', "line 33: byte 14 is 0xe9, which is not UTF-8"),
    ],
)
def test_the_dry_run_refuses_what_the_reader_would(launched: Launch, tmp_path: Path, line: bytes, said: str) -> None:
    good = write_items(tmp_path / "good.jsonl")
    assert launched(f"data.path={good}", "dry_run=true").code == 0  # with its byte order mark
    bad = write_items(tmp_path / "bad.jsonl", line)
    ended = launched(f"data.path={bad}", "dry_run=true")
    assert (ended.code, ended.ran) == (2, [])
    assert ended.err.startswith(f"bsft-train: {bad}: {said}") and ended.err.count("\n") == 1


def test_a_damaged_manifest_is_told_before_the_first_job(launched: Launch, tmp_path: Path) -> None:
    for content, said in (
        (b"{", "not valid JSON"),
        (b'{"name": "a", "name": "b"}', "repeated key"),
        (b"{}", "missing"),
    ):
        (tmp_path / "manifest.json").write_bytes(content)
        write_items(tmp_path / "items.jsonl")
        ended = launched(f"data.path={tmp_path}")
        assert (ended.code, ended.ran, ended.err.count("\n")) == (2, [], 1)
        assert "manifest.json: " in ended.err and said in ended.err


def test_an_override_that_cannot_be_taken_apart_is_one_sentence(launched: Launch) -> None:
    for override in ("seed=" + "9" * 5000, "seed=" + "[" * 5000):
        ended = launched(override)
        assert (ended.code, ended.ran, ended.err.count("\n")) == (2, [], 1)
        assert ended.err.startswith("bsft-train: ")


def test_configs_of_the_users_own_are_read_within_limits(launched: Launch, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    file = folder / "pilot.yaml"
    for text, said in (
        ("seed: " + "[" * 100_000, "nested more than 100 deep"),
        ("seed: &a [*a]", "alias 'a' of nothing before it"),
        ("seed: !!python/object:os.system x", "found the tag"),
    ):
        file.write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
        ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot")
        assert (ended.code, ended.ran, ended.err.count("\n")) == (2, [], 1)
        assert f"{file}: line 2: {said}" in ended.err
    file.unlink()
    os.mkfifo(file)
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot")
    assert (ended.code, ended.ran) == (2, []) and "pilot.yaml: is a device, pipe or socket" in ended.err
