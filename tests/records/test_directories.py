"""Directories that take the place of earlier ones: whole or not at all, and nothing beside them is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsft.records.files import recover, replace_directory, replacing_directory


def made(directory: Path, content: str) -> Path:
    directory.mkdir()
    (directory / "file").write_text(content)
    return directory


def contents(directory: Path) -> dict[str, str]:
    return {str(file.relative_to(directory)): file.read_text() for file in directory.rglob("*") if file.is_file()}


def test_a_directory_takes_the_place_of_another_and_leaves_nothing_else(tmp_path: Path) -> None:
    made(tmp_path / "out", "old")
    with replacing_directory(tmp_path / "out") as scratch:
        (scratch / "file").write_text("new")
        assert contents(tmp_path / "out") == {"file": "old"}
    assert contents(tmp_path) == {"out/file": "new"}


def test_a_block_that_fails_leaves_the_old_directory(tmp_path: Path) -> None:
    made(tmp_path / "out", "old")
    with pytest.raises(KeyboardInterrupt), replacing_directory(tmp_path / "out") as scratch:
        (scratch / "file").write_text("new")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {"out/file": "old"}


@pytest.mark.parametrize("name", [".out.old", ".out.replaced", ".out.import"])
def test_the_users_directories_beside_it_stay(tmp_path: Path, name: str) -> None:
    made(tmp_path / "out", "old")
    made(tmp_path / name, "the user's")
    replace_directory(made(tmp_path / "source", "new"), tmp_path / "out")
    assert contents(tmp_path) == {"out/file": "new", f"{name}/file": "the user's"}


def test_what_cannot_be_moved_into_place_leaves_the_old_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "out", "old")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "source":
            raise KeyboardInterrupt
        return rename(self, target)

    source = made(tmp_path / "source", "new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(KeyboardInterrupt):
            replace_directory(source, tmp_path / "out")
    assert contents(tmp_path) == {"out/file": "old", "source/file": "new"}


def test_a_kill_between_the_two_moves_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it lies on the disk then: the old directory aside, the new one not yet in place."""
    target = made(tmp_path / "out", "old")
    rename = Path.rename
    moves: list[Path] = []

    class Killed(BaseException):
        pass

    def killed(self: Path, to: Path) -> Path:
        if moves:
            raise Killed
        moves.append(self)
        return rename(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            replace_directory(made(tmp_path / "source", "new"), target)
    assert not target.exists()
    recover(target, lambda path: (path / "file").read_text() == "another")
    assert not target.exists(), "what is not ours is not moved"
    recover(target, lambda path: (path / "file").read_text() == "old")
    assert contents(target) == {"file": "old"}
