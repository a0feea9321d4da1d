"""From a data config to a benchmark: made once in the cache, named by what determines it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small import write_small

from bsft.config import JsonlConfig, MedErrBenchConfig, OpenBenchConfig
from bsft.data import source
from bsft.data.source import fingerprint, obtain
from bsft.importing import mederrbench
from bsft.importing.mederrbench import SOURCE_FILES
from bsft.records.errors import BadInput
from bsft.records.schema import Manifest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def open_config(**options: Any) -> OpenBenchConfig:
    return OpenBenchConfig(name="behaviorbench_open", **options)


def put_file(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("a file")


def put_broken_link(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.symlink_to("nowhere")


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
        put_file,
        put_broken_link,
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


def given(path: Path) -> str:
    return fingerprint(JsonlConfig(name="a", path=str(path)))


def manifest_with(directory: Path, **fields: object) -> None:
    file = directory / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize(
    "fields", [{"name": "b"}, {"licence": "MIT"}, {"notes": ["a note"]}, {"version": "9"}, {"seed": 9}], ids=str
)
def test_what_a_manifest_only_shows_does_not_count(tmp_path: Path, fields: dict[str, object]) -> None:
    write_small(tmp_path / "bench")
    before = given(tmp_path / "bench")
    manifest_with(tmp_path / "bench", **fields)
    (tmp_path / "bench" / "notes.jsonl").write_text("a stray file, which the manifest does not name")
    assert given(tmp_path / "bench") == before


def test_what_a_manifest_says_of_tasks_and_splits_counts(tmp_path: Path) -> None:
    manifest = write_small(tmp_path / "bench")
    seen = {given(tmp_path / "bench")}
    tasks = [task.model_dump() for task in manifest.tasks]
    manifest_with(tmp_path / "bench", tasks=[tasks[0] | {"labels": ["low", "high"]}, *tasks[1:]])
    seen.add(given(tmp_path / "bench"))
    manifest_with(tmp_path / "bench", files={split: names for split, names in manifest.files.items() if split != "val"})
    seen.add(given(tmp_path / "bench"))
    assert len(seen) == 3


def test_files_that_a_manifest_names_count_by_content(tmp_path: Path) -> None:
    manifest = write_small(tmp_path / "bench")
    before = given(tmp_path / "bench")
    (tmp_path / "bench" / "test.jsonl").rename(tmp_path / "bench" / "renamed")
    digests = {("renamed" if name == "test.jsonl" else name): digest for name, digest in manifest.sha256.items()}
    manifest_with(tmp_path / "bench", files=manifest.files | {"test": ["renamed"]}, sha256=digests)
    assert given(tmp_path / "bench") == before, "a name is not content"
    (tmp_path / "bench" / "renamed").write_text("changed")
    assert given(tmp_path / "bench") != before


def test_files_without_a_manifest_count_by_content_and_order(small: Path, tmp_path: Path) -> None:
    files = {name: (small / name).read_bytes() for name in ("test.jsonl", "train.jsonl")}

    def laid_out(directory: str, **names: str) -> str:
        (tmp_path / directory).mkdir()
        for name, origin in names.items():
            (tmp_path / directory / f"{name}.jsonl").write_bytes(files[origin])
        return given(tmp_path / directory)

    one = laid_out("one", a="test.jsonl", b="train.jsonl")
    assert laid_out("renamed", c="test.jsonl", d="train.jsonl") == one
    assert laid_out("swapped", a="train.jsonl", b="test.jsonl") != one


def test_a_damaged_manifest_and_a_missing_file_are_named(tmp_path: Path) -> None:
    write_small(tmp_path / "bench")
    (tmp_path / "bench" / "val.jsonl").unlink()
    with pytest.raises(BadInput, match=r"val\.jsonl: no such file, though manifest\.json lists it$"):
        given(tmp_path / "bench")
    (tmp_path / "bench" / "manifest.json").write_text('{"name": "a"}')
    with pytest.raises(BadInput, match=r"manifest\.json: field version: missing"):
        given(tmp_path / "bench")


def test_imported_data_count_by_content_and_by_the_importers_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SOURCE_FILES.values():
        (tmp_path / name).write_text("Text ID\n")
    data = MedErrBenchConfig(name="m", path=str(tmp_path))
    seen = {fingerprint(data)}
    (tmp_path / SOURCE_FILES["val"]).write_text("Text ID\na\n")
    seen.add(fingerprint(data))
    monkeypatch.setattr(mederrbench, "IMPORTER_VERSION", "99")
    seen.add(fingerprint(data))
    assert len(seen) == 3


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.path=.*nowhere: no such file, or a directory without \.jsonl files"):
        fingerprint(JsonlConfig(name="a", path=str(tmp_path / "nowhere")))
    with pytest.raises(BadInput, match=r"reviewed_data_EN_train\.csv: no such file"):
        fingerprint(MedErrBenchConfig(name="m", path=str(tmp_path)))
