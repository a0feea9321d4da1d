"""Hashes of files: right after every change, and computed once per version of a file."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from bsft.records import hashing
from bsft.records.errors import BadInput
from bsft.records.hashing import sha256_of
from bsft.records.untrusted import file_sha256

LARGE = hashing.MIN_KEPT_BYTES


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hashes"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read; files count as settled however young they are."""
    read: list[str] = []

    def noted(file: Path) -> str:
        read.append(file.name)
        return file_sha256(file)

    monkeypatch.setattr(hashing, "SETTLED_S", 0.0)
    monkeypatch.setattr(hashing, "file_sha256", noted)
    return read


def forget() -> None:
    """As a new process would."""
    hashing._known.cache_clear()


def content(n: int = LARGE, of: bytes = b"a") -> bytes:
    return of * n


def test_it_is_the_hash_of_the_whole_file(tmp_path: Path) -> None:
    for n in (0, 5, LARGE + 1):
        (tmp_path / "file").write_bytes(content(n))
        assert sha256_of(tmp_path / "file") == hashlib.sha256(content(n)).hexdigest()


def test_a_large_file_is_read_once_by_all_processes_and_a_small_one_once_by_each(
    tmp_path: Path, reads: list[str]
) -> None:
    (tmp_path / "large").write_bytes(content())
    (tmp_path / "small").write_bytes(content(10))
    for _ in range(2):
        for _ in range(3):
            sha256_of(tmp_path / "large")
            sha256_of(tmp_path / "small")
        forget()
    assert reads == ["large", "small", "small"]


def test_any_change_is_seen_even_one_that_hides(tmp_path: Path, reads: list[str]) -> None:
    file = tmp_path / "file"
    file.write_bytes(content())
    before = file.stat()
    seen = {sha256_of(file)}
    file.write_bytes(content(LARGE - 1) + b"b")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # same name, size and modification time
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    seen.add(sha256_of(file))
    (tmp_path / "other").write_bytes(content(LARGE - 1) + b"c")
    os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "other").replace(file)
    seen.add(sha256_of(file))
    assert len(seen) == 3


def test_a_file_that_may_still_change_is_read_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes within one tick of the file system's clock look the same from outside."""
    file = tmp_path / "file"
    file.write_bytes(content())
    seen = {sha256_of(file)}
    unchanged = file.stat()
    monkeypatch.setattr(os, "stat", lambda *_, **__: unchanged)
    file.write_bytes(content(of=b"b"))
    seen.add(sha256_of(file))
    assert len(seen) == 2


def test_touching_and_moving_change_nothing(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "file").write_bytes(content())
    before = sha256_of(tmp_path / "file")
    os.utime(tmp_path / "file", (1, 1))
    assert sha256_of(tmp_path / "file") == before
    (tmp_path / "file").rename(tmp_path / "moved")
    assert sha256_of(tmp_path / "moved") == before


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff" * 1000, b"1 2 3 4 " + b"0" * 64, b"[" * 100_000])
def test_a_damaged_note_is_made_again(tmp_path: Path, own_cache: Path, reads: list[str], damage: bytes) -> None:
    (tmp_path / "file").write_bytes(content())
    right = sha256_of(tmp_path / "file")
    [note] = own_cache.iterdir()
    whole = note.read_bytes()
    note.write_bytes(damage)
    forget()
    assert sha256_of(tmp_path / "file") == right
    assert note.read_bytes() == whole


def test_a_truncated_note_is_made_again(tmp_path: Path, own_cache: Path, reads: list[str]) -> None:
    (tmp_path / "file").write_bytes(content())
    right = sha256_of(tmp_path / "file")
    [note] = own_cache.iterdir()
    note.write_bytes(note.read_bytes()[:-2])
    forget()
    assert sha256_of(tmp_path / "file") == right


def test_a_cache_that_cannot_be_written_to_only_costs_time(tmp_path: Path, own_cache: Path, reads: list[str]) -> None:
    own_cache.parent.mkdir()
    own_cache.touch()  # a file where a directory should be
    (tmp_path / "file").write_bytes(content())
    right = sha256_of(tmp_path / "file")
    forget()
    assert sha256_of(tmp_path / "file") == right and reads == ["file", "file"]


def test_many_at_once_agree(tmp_path: Path, own_cache: Path, reads: list[str]) -> None:
    (tmp_path / "file").write_bytes(content(4 * LARGE))
    found: list[str] = []

    def ask() -> None:
        for _ in range(20):
            forget()
            found.append(sha256_of(tmp_path / "file"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80 and len(set(found)) == 1
    assert len(list(own_cache.iterdir())) == 1


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match=r"pipe: is a device, pipe or socket, allowed: a regular file$"):
        sha256_of(tmp_path / "pipe")
    with pytest.raises(BadInput, match=r"is a directory, allowed: a file$"):
        sha256_of(tmp_path)
    with pytest.raises(BadInput, match=r"nowhere: no such file$"):
        sha256_of(tmp_path / "nowhere")
