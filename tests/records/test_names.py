"""Names that may be parts of paths, names that may not, and files that a listing may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsft.records.errors import BadInput
from bsft.records.names import MAX_NAME_BYTES, is_file_name, is_name, listed_file, name_problem, slug

UNSAFE = [
    "", ".", "..", "a/b", "/etc", "/../../../evil", "a\\b", ".hidden", "a.", "-x", "~", "a b", "a\n", "\x1b[31m",
    "a\0b", "con", "NUL.txt", "lpt1", "=1+1", "@x", "[/red]", "a\u202eb", "\ud800", "x" * 65, "ä" * 33,
]  # fmt: skip


@pytest.mark.parametrize("text", UNSAFE, ids=ascii)
def test_unsafe_names(text: str) -> None:
    assert not is_name(text)
    assert "allowed: letters, digits, '.', '_' and '-'" in str(name_problem(text))


@pytest.mark.parametrize("text", ["smollm2_135m", "Qwen2.5-0.5B", "2026-11-27", "_x", "Modell_Ä", "日本", "x" * 64])
def test_safe_names_stay_as_they_are(text: str) -> None:
    assert is_name(text) and slug(text) == text and name_problem(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Qwen/Qwen2.5-0.5B", "Qwen-Qwen2.5-0.5B"),
        ("/../../../evil", "evil"),
        ("my model", "my-model"),
        ("..", "x"),
        ("con", "xcon"),
    ],
)
def test_a_slug_can_be_read(text: str, found: str) -> None:
    assert slug(text) == found


@given(st.text())
def test_every_slug_is_a_name(text: str) -> None:
    assert is_name(slug(text)) and len(slug(text).encode()) <= MAX_NAME_BYTES


@given(st.text())
def test_what_may_name_a_file_stays_in_its_directory(text: str) -> None:
    if is_file_name(text):
        assert (Path("/there") / text).parent == Path("/there") and os.path.normpath(
            f"/there/{text}"
        ) == f"/there/{text}"


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    directory = tmp_path / "there"
    directory.mkdir()
    (tmp_path / "outside.jsonl").write_text("{}\n")
    (directory / "train (1).jsonl").write_text("{}\n")
    (directory / "folder").mkdir()
    (directory / "inside").symlink_to("train (1).jsonl")
    (directory / "link").symlink_to("../outside.jsonl")
    (directory / "device").symlink_to("/dev/zero")
    os.mkfifo(directory / "fifo")
    return directory / "manifest.json"


@pytest.mark.parametrize("name", ["train (1).jsonl", "inside"])
def test_files_beside_a_listing_may_be_listed(listing: Path, name: str) -> None:
    assert listed_file(listing, "files.train", name) == listing.parent / name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../outside.jsonl", "manifest.json: field files.train: found '../outside.jsonl', allowed: the name of a file"),
        ("/etc/passwd", "found '/etc/passwd', allowed"),
        ("/dev/zero", "found '/dev/zero', allowed"),
        ("..", "found '..', allowed"),
        (".", "found '.', allowed"),
        ("", "found '', allowed"),
        ("a\0b", "found 'a\\x00b', allowed"),
        ("folder/../x", "allowed: the name of a file in the same directory"),
        ("link", "is a link to a place outside"),
        ("device", "is a link to a place outside"),
        ("fifo", "fifo: not a regular file, though manifest.json lists it"),
        ("folder", "folder: not a regular file"),
        ("nowhere", "nowhere: no such file, though manifest.json lists it"),
    ],
    ids=ascii,
)
def test_anything_else_may_not(listing: Path, name: str, sentence: str) -> None:
    with pytest.raises(BadInput) as error:
        listed_file(listing, "files.train", name)
    assert sentence in str(error.value) and "\n" not in str(error.value)
