"""Run directories: files that are whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import yaml
from making import make_config

from bsft import config as cfg
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically, write_json
from bsft.records.untrusted import read_json
from bsft.runs.directory import CONFIG, STATUS, RunDirectory, run_directories
from bsft.runs.identity import identity

# --- files ----------------------------------------------------------------------------------------------------------


def test_a_directory_without_status_is_queued(tmp_path: Path) -> None:
    assert RunDirectory(tmp_path).status().state == "queued"


def test_status_says_who_set_it_and_when(tmp_path: Path) -> None:
    RunDirectory(tmp_path).set_status("running", step=4)
    status = RunDirectory(tmp_path).status()
    assert (status.state, status.step, status.reason, status.pid) == ("running", 4, None, os.getpid())
    assert status.updated_unix_s > 0 and status.host


@pytest.mark.parametrize("text", ["", "{", '{"stat": "done"}', "[]", "\xff"])
def test_a_damaged_status_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / STATUS).write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match=r"status\.json: damaged .* delete it and run the command again"):
        RunDirectory(tmp_path).status()


def test_a_frozen_config_is_read_back(small: Path, tmp_path: Path) -> None:
    config = make_config(small)
    directory = RunDirectory(tmp_path / "job")
    assert directory.frozen_identity() is None
    directory.freeze(config)
    assert directory.frozen_identity() == identity(config)
    assert yaml.safe_load((tmp_path / "job" / CONFIG).read_text())["config"] == cfg.plain(config)


@pytest.mark.parametrize("text", ["identity: [", "config: {}\n", "", "- 1\n", "\xff\xfe"])
def test_a_damaged_frozen_config_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / CONFIG).write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match=r"config\.yaml: damaged .* use redo=true"):
        RunDirectory(tmp_path).frozen_identity()


def test_json_files_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    with pytest.raises(BadInput, match=r"metrics\.json: no such file"):
        read_json(file)
    file.write_text("{")
    with pytest.raises(BadInput, match=r"metrics\.json: not valid JSON"):
        RunDirectory(tmp_path).metrics()
    write_json(file, {"n": 1, "text": "µ"})
    assert read_json(file) == {"n": 1, "text": "µ"}
    assert "µ" in file.read_text()


def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metrics.json"
    write_atomically(file, "old")
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        write(self, content[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(BadInput, match=r"metrics\.json: could not be written: No space left on device$"):
            write_atomically(file, "new text")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"x\.json: could not be written: Not a directory"):
        write_atomically(tmp_path / "file" / "below" / "x.json", "text")


def test_run_directories_of_a_sweep_or_of_one_run(small: Path, tmp_path: Path) -> None:
    for name in ("b", "a", ".a.old"):
        RunDirectory(tmp_path / name).freeze(make_config(small))
    (tmp_path / "not-a-run").mkdir()
    assert [d.path.name for d in run_directories(tmp_path)] == ["a", "b"]
    assert [d.path.name for d in run_directories(tmp_path / "a")] == ["a"]
    with pytest.raises(BadInput, match="nowhere: no such directory"):
        list(run_directories(tmp_path / "nowhere"))
