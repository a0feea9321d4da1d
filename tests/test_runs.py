"""Run directories: what names a job, and files that are whole or absent."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import make_config, method_config, model_config
from small import write_small

from bsft import config as cfg
from bsft.bench.records import SCHEMA_VERSION
from bsft.bench.store import BadInput
from bsft.records.files import write_atomically, write_json
from bsft.records.untrusted import read_json
from bsft.runs import (
    CONFIG,
    STATUS,
    RunDirectory,
    identity,
    job_name,
    run_directories,
    weights_fingerprint,
)


def name_of(path: Path, **options: Any) -> str:
    return job_name(make_config(path, **options))


# --- identity -------------------------------------------------------------------------------------------------------


def test_a_name_says_method_model_and_seed(small: Path) -> None:
    name = name_of(small, seed=3)
    assert name.startswith("behavior_sft-tiny-s3-")
    assert len(name.rsplit("-", 1)[1]) == 8


@pytest.mark.parametrize(
    "options",
    [
        {"logger": cfg.LoggerConfig(name="wandb", mode="online", project="other")},
        {"sweep": "other"},
        {"root": "/elsewhere"},
        {"redo": True},
        {"dry_run": True},
        {"threads": 4},
        {"accelerator": "cuda"},
        {"devices": 2, "strategy": "ddp"},
        {"num_nodes": 2},
        {"fit": {"checkpoint_every_steps": 3}},
    ],
    ids=str,
)
def test_what_does_not_change_the_result_does_not_change_the_name(small: Path, options: dict[str, Any]) -> None:
    assert name_of(small, **options) == name_of(small)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"fit": {"optim": cfg.OptimConfig(lr=2e-3)}},
        {"fit": {"max_steps": 7}},
        {"method": method_config(lora=cfg.LoraConfig(rank=4))},
        {"method": method_config(behavior=cfg.BehaviorConfig(loss_weight=2.0))},
        {"model": model_config("qwen2")},
        {"model": model_config(max_length_tokens=512)},
        {"data": {"scene_tokens": 64}},
        {"data": {"tasks": ["lab_interpretation"]}},
        {"precision": "bf16-mixed"},
        {"batching": "flat"},
        {"score": cfg.ScoreConfig(max_items=3)},
    ],
    ids=str,
)
def test_what_may_change_the_result_changes_the_name(small: Path, options: dict[str, Any]) -> None:
    assert name_of(small, **options) != name_of(small)


@pytest.mark.parametrize("method", ["baseline", "instructed", "few_shot"])
def test_the_recipe_of_fitting_does_not_name_a_method_that_is_not_fitted(small: Path, method: str) -> None:
    options = {"instruction": "Warn."} if method == "instructed" else {}
    other = {"optim": cfg.OptimConfig(lr=2e-3), "max_epochs": 9}
    names = [name_of(small, method=method_config(method, **options), fit=fit) for fit in ({}, other)]
    assert names[0] == names[1]


def test_the_data_names_a_job_by_content_and_not_by_place(small: Path, tmp_path: Path) -> None:
    write_small(tmp_path / "copy")
    write_small(tmp_path / "larger", train=13)
    assert name_of(tmp_path / "copy") == name_of(small)
    assert name_of(tmp_path / "larger") != name_of(small)


def test_changed_data_change_the_name(tmp_path: Path) -> None:
    write_small(tmp_path / "data")
    before = name_of(tmp_path / "data")
    with (tmp_path / "data" / "train.jsonl").open("a") as stream:
        stream.write("\n")
    assert name_of(tmp_path / "data") != before


def test_identity_carries_fingerprints_and_no_paths(small: Path) -> None:
    found = identity(make_config(small))
    assert found["schema_version"] == SCHEMA_VERSION
    assert len(found["data"]["sha256"]) == 64
    assert found["model"]["weights"] == "llama@main"
    assert str(small) not in json.dumps(found)


def local_model(directory: Path, content: bytes = b"weights") -> cfg.ModelConfig:
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(content)
    return cfg.ModelConfig(name="mine", source="local", path=str(directory))


def test_local_weights_are_named_by_content(tmp_path: Path) -> None:
    one, same = local_model(tmp_path / "a"), local_model(tmp_path / "b")
    other = local_model(tmp_path / "c", b"wEights")
    longer = local_model(tmp_path / "d", b"weights" + bytes(1 << 20))
    prints = [weights_fingerprint(model) for model in (one, same, other, longer)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_local_model_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^model\.path=/nowhere: no such directory"):
        weights_fingerprint(cfg.ModelConfig(source="local", path="/nowhere"))
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(BadInput, match=r"no \.safetensors file in it"):
        weights_fingerprint(cfg.ModelConfig(source="local", path=str(tmp_path)))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(BadInput, match=r"config\.json: no such file"):
        weights_fingerprint(cfg.ModelConfig(source="local", path=str(tmp_path)))


def test_hub_and_packaged_weights_are_named_without_loading_them() -> None:
    assert weights_fingerprint(cfg.ModelConfig(source="hub", id="a/b", revision="f00")) == "a/b@f00"
    packaged = cfg.ModelConfig(source="packaged", package="p", package_version="1")
    assert weights_fingerprint(packaged) == "p==1"


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
    write = Path.write_text

    def full(self: Path, text: str, **options: Any) -> int:
        write(self, text[:2], **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
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
