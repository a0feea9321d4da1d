"""The index of a benchmark in the cache: content is checked once, and again when anything changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import write_small
from store_lines import records, write_lines

from bsft.records.errors import BadInput
from bsft.records.store import Benchmark, index, open_benchmark, opening


@pytest.fixture
def indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where indexes are kept; even small ones here."""
    monkeypatch.setattr(index, "MIN_ITEMS", 1)
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "indexes"


def assert_equal(a: Benchmark, b: Benchmark) -> None:
    assert a.manifest == b.manifest
    for split in a.splits:
        assert list(a.items(split)) == list(b.items(split))
        assert list(a.items(split).heads()) == list(b.items(split).heads())


def test_content_is_checked_once_and_again_when_it_changed(
    tmp_path: Path, indexes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "dir", write_lines(tmp_path / "one.jsonl", records(3))):
        if path.suffix == "":
            write_small(path, train=3, val=2, test=2)
        first = open_benchmark(path)
        with monkeypatch.context() as patch:
            patch.setattr(opening, "read_items", None)
            assert_equal(open_benchmark(path), first)
    assert len(list(indexes.iterdir())) == 2
    with (tmp_path / "one.jsonl").open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(BadInput, match="line 13: field id: missing"):
        open_benchmark(tmp_path / "one.jsonl")


def test_a_damaged_index_is_made_again(tmp_path: Path, indexes: Path) -> None:
    write_small(tmp_path / "small")
    first = open_benchmark(tmp_path / "small")
    [file] = indexes.iterdir()
    whole = file.read_bytes()
    flags, method = (whole.rindex(b"PK\x01\x02") + offset for offset in (8, 10))
    encrypted = whole[:flags] + b"\x01" + whole[flags + 1 :]
    deflated, unheard_of = (whole[:method] + number + whole[method + 1 :] for number in (b"\x08", b"\xff"))
    for damage in (b"", b"no archive", whole[:-400], encrypted, deflated, unheard_of):
        file.write_bytes(damage)
        assert_equal(open_benchmark(tmp_path / "small"), first)
        assert file.read_bytes() != damage


def test_a_cache_that_cannot_be_written_to_is_done_without(
    tmp_path: Path, indexes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    write_small(tmp_path / "small")
    assert open_benchmark(tmp_path / "small").splits == ["train", "val", "test"]


def test_a_file_that_changes_while_it_is_in_use_is_noticed(tmp_path: Path) -> None:
    write_small(tmp_path / "small", test=2)
    items = open_benchmark(tmp_path / "small").items("test")
    file = tmp_path / "small" / "test.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0].replace("case200/lab", "case200/bal"), *lines[1:]]))
    assert items[1].id == "case200/plan"
    with pytest.raises(BadInput, match=r"test\.jsonl: the file was changed while it was in use"):
        items[0]
    file.unlink()
    with pytest.raises(BadInput, match=r"test\.jsonl: no such file, though it was there when"):
        items[1]
