"""What a benchmark's manifest and items name stays inside its directory."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from launching import Launch
from small import write_small

from bsft.records.errors import BadInput
from bsft.records.schema import Manifest
from bsft.records.store import open_benchmark, write_benchmark


@pytest.fixture
def benchmark_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "mine"
    write_small(directory)
    return directory


def relist(directory: Path, name: str, new: str) -> None:
    """Lists `new` where the manifest had `name`, with the hash that it would have to have."""
    file = directory / "manifest.json"
    text = file.read_text().replace(json.dumps(name), json.dumps(new))
    file.write_text(text)
    Manifest.model_validate_json(text)


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        ("../outside.jsonl", "manifest.json: field files.train: found '../outside.jsonl', allowed: the name of a file"),
        ("/etc/passwd", "field files.train: found '/etc/passwd', allowed"),
        ("/dev/zero", "field files.train: found '/dev/zero', allowed"),
        ("link.jsonl", "link.jsonl: is a link to a place outside"),
        ("fifo.jsonl", "fifo.jsonl: not a regular file"),
    ],
)
def test_a_manifest_names_files_beside_it_only(benchmark_directory: Path, new: str, sentence: str) -> None:
    """Nothing else is read, and nothing blocks."""
    (benchmark_directory.parent / "outside.jsonl").write_bytes((benchmark_directory / "train.jsonl").read_bytes())
    (benchmark_directory / "link.jsonl").symlink_to("../outside.jsonl")
    os.mkfifo(benchmark_directory / "fifo.jsonl")
    relist(benchmark_directory, "train.jsonl", new)
    with pytest.raises(BadInput) as error:
        open_benchmark(benchmark_directory)
    assert sentence in str(error.value)


def test_the_pre_flight_checks_what_a_manifest_names(benchmark_directory: Path, launched: Launch) -> None:
    relist(benchmark_directory, "train.jsonl", "../outside.jsonl")
    ended = launched(f"data.path={benchmark_directory}")
    assert (ended.code, ended.ran) == (2, [])
    assert "manifest.json: field files.train: found '../outside.jsonl', allowed" in ended.err


def test_a_split_is_a_name(benchmark_directory: Path, launched: Launch) -> None:
    lines = (benchmark_directory / "train.jsonl").read_text().replace('"split":"train"', '"split":"../../evil"')
    (benchmark_directory / "manifest.json").unlink()
    (benchmark_directory / "train.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=r"train.jsonl: line 1: field split: found '../../evil', allowed: letters"):
        open_benchmark(benchmark_directory)
    ended = launched(f"data.path={benchmark_directory}", "data.train_split=../../evil")
    assert (ended.code, ended.ran) == (2, [])
    assert "train.jsonl: line 1: field split: found '../../evil', allowed: letters" in ended.err


def test_a_manifests_split_is_a_name(benchmark_directory: Path) -> None:
    relist(benchmark_directory, "train", "a/b")
    with pytest.raises(BadInput, match=r"manifest.json: field files: found 'a/b', allowed: letters"):
        open_benchmark(benchmark_directory)


def test_no_split_is_written_outside(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"split: found '../evil', allowed: letters"):
        write_benchmark(tmp_path / "out", {"../evil": []}, [], name="x", version="1", seed=0, licence="none")
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_benchmark_may_have_other_peoples_names(benchmark_directory: Path) -> None:
    (benchmark_directory / "train.jsonl").rename(benchmark_directory / "train (1).jsonl")
    relist(benchmark_directory, "train.jsonl", "train (1).jsonl")
    digest = hashlib.sha256((benchmark_directory / "train (1).jsonl").read_bytes()).hexdigest()
    assert open_benchmark(benchmark_directory).manifest.sha256["train (1).jsonl"] == digest
