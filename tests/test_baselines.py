"""What benchmarks keep of a processor: their own entry, beside those of others."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks._baseline import DIRECTORY, file_name, keep
from bsft.records.errors import BadInput

ENVIRONMENT: dict[str, Any] = {
    "device": "AMD EPYC 7B13 (64-Core)",
    "cores": 2,
    "threads": 1,
    "commit": "abc1234",
    "versions": {"torch": "2.13.0", "trl": None},
}
DATE = datetime.date(2026, 1, 2)


def test_an_entry_says_when_and_with_what_it_was_measured(tmp_path: Path) -> None:
    file = keep("train, paper", {"bsft, s": 3.03149, "ratio": 13.0}, ENVIRONMENT, directory=tmp_path / "b", date=DATE)
    assert file == tmp_path / "b" / "amd-epyc-7b13-64-core-2-cores.json"
    assert json.loads(file.read_text()) == {
        "processor": "AMD EPYC 7B13 (64-Core)",
        "cores": 2,
        "measurements": {
            "train, paper": {
                "date": "2026-01-02",
                "commit": "abc1234",
                "torch": "2.13.0",
                "threads": 1,
                "figures": {"bsft, s": 3.031, "ratio": 13.0},
            }
        },
    }


def test_a_measurement_replaces_its_own_entry_only(tmp_path: Path) -> None:
    for measurement, seconds in (("train", 3.0), ("score", 1.0), ("train", 2.0)):
        file = keep(measurement, {"s": seconds}, ENVIRONMENT, directory=tmp_path, date=DATE)
    found = json.loads(file.read_text())["measurements"]
    assert {name: entry["figures"]["s"] for name, entry in found.items()} == {"score": 1.0, "train": 2.0}
    other = keep("train", {"s": 9.0}, {**ENVIRONMENT, "cores": 64}, directory=tmp_path, date=DATE)
    assert sorted(tmp_path.iterdir()) == sorted([file, other])


def test_a_file_that_is_damaged_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / file_name(ENVIRONMENT["device"], ENVIRONMENT["cores"])
    file.write_text("{")
    with pytest.raises(BadInput, match=f"{file.name}.*not valid JSON"):
        keep("train", {"s": 1.0}, ENVIRONMENT, directory=tmp_path)
    assert file.read_text() == "{"


def test_the_files_of_the_repository_bear_the_names_of_their_processors() -> None:
    files = sorted(DIRECTORY.glob("*.json"))
    assert files
    for file in files:
        content = json.loads(file.read_text())
        assert file.name == file_name(content["processor"], content["cores"])
        assert content["measurements"]
