"""From a data config to a benchmark: made once in the cache, named by what determines it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small import write_small

from bsft.bench import source
from bsft.bench.records import Manifest
from bsft.bench.source import fingerprint, obtain
from bsft.bench.store import BadInput
from bsft.config import JsonlConfig, MedErrBenchConfig, OpenBenchConfig


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def open_config(**options: int) -> OpenBenchConfig:
    return OpenBenchConfig(name="behaviorbench_open", **options)


def test_items_of_the_users_own_are_opened_where_they_lie(small: Path, own_cache: Path) -> None:
    assert obtain(JsonlConfig(name="mine", path=str(small))).path == small
    assert not own_cache.exists()


def test_the_open_benchmark_is_built_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def build(spec: object, target: Path) -> Manifest:
        built.append(spec.n_cases)  # type: ignore[attr-defined]
        return write_small(target)

    monkeypatch.setattr("bsft.bench.build.build", build)
    first, again = obtain(open_config(n_cases=10)), obtain(open_config(n_cases=10))
    assert first.path == again.path and first.path.is_relative_to(own_cache)
    other = obtain(open_config(n_cases=11))
    assert built == [10, 11] and other.path != first.path


def test_a_build_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise BadInput("could not be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(source, "_make", full)
        with pytest.raises(BadInput, match="No space left"):
            obtain(open_config(n_cases=10))
    monkeypatch.setattr(source, "_make", lambda data, target: write_small(target))
    assert obtain(open_config(n_cases=10)).splits == ["train", "val", "test"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: (d / "test.jsonl").write_bytes((d / "test.jsonl").read_bytes()[:-7]),
        lambda d: (d / "test.jsonl").unlink(),
        lambda d: (d / "manifest.json").write_text("{"),
        lambda d: (d / "manifest.json").write_text("[" * 100_000),
        lambda d: (d / "manifest.json").unlink(),
        lambda d: (d / "manifest.json").write_text('{"name": "a web app"}'),
        lambda d: (shutil.rmtree(d), d.write_text("a file")),
        lambda d: (shutil.rmtree(d), d.symlink_to("nowhere")),
        lambda d: [file.unlink() for file in d.iterdir()],
    ],
    ids=range(9),
)
def test_a_damaged_benchmark_in_the_cache_is_made_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object]
) -> None:
    made: list[Path] = []

    def make(data: object, target: Path) -> None:
        made.append(target)
        write_small(target)

    monkeypatch.setattr(source, "_make", make)
    first = obtain(open_config(n_cases=10))
    items = list(first.items("test"))
    damage(first.path)
    with caplog.at_level(logging.WARNING):
        again = obtain(open_config(n_cases=10))
    assert again.path == first.path and list(again.items("test")) == items
    assert "the cached benchmark is damaged, so it is made again: " in caplog.text
    obtain(open_config(n_cases=10))
    assert len(made) == 2
    assert sorted(path.name for path in first.path.parent.iterdir()) == [first.path.name, f"{first.path.name}.lock"]


def test_fingerprints_follow_content_and_settings(small: Path, tmp_path: Path) -> None:
    write_small(tmp_path / "copy")
    same = [fingerprint(JsonlConfig(name="a", path=str(path))) for path in (small, tmp_path / "copy")]
    assert same[0] == same[1]
    opened = [open_config(), open_config(build_seed=1), open_config(n_cases=10)]
    assert len({fingerprint(config) for config in opened}) == 3
    one_file = fingerprint(JsonlConfig(name="a", path=str(small / "test.jsonl")))
    assert one_file not in same


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.path=.*nowhere: no such file, or a directory without \.jsonl files"):
        fingerprint(JsonlConfig(name="a", path=str(tmp_path / "nowhere")))
    with pytest.raises(BadInput, match=r"reviewed_data_EN_train\.csv: no such file"):
        fingerprint(MedErrBenchConfig(name="m", path=str(tmp_path)))
