"""The content of local models: every file that is read counts, whole, and no other."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers
from making import write_local_model
from transformers import PreTrainedTokenizerBase

from bsft.model.content import _COUNTED, INDEX, sha256_of_model
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput

MIB = 1 << 20


def content(directory: Path, *, remote_code: bool = False) -> str:
    return sha256_of_model(directory, remote_code=remote_code)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory like a real one: weights, a tokenizer, and files that nobody reads."""
    directory = write_local_model(tmp_path / "model", 2 * MIB, '{"model_type": "llama"}')
    for name in ("README.md", "training_args.bin", "pytorch_model.bin", "optimizer.pt", "trainer_state.json"):
        (directory / name).write_text("not read")
    return directory


def changed_in_the_middle(file: Path, n_bytes: int = 100_000) -> None:
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2 - n_bytes // 2)
        stream.write(b"\x01" * n_bytes)


@pytest.mark.parametrize("n_bytes", [100_000, 1])
def test_weights_count_whole(model: Path, n_bytes: int) -> None:
    (model / "model.safetensors").write_bytes(bytes(16 * MIB))
    before = content(model)
    changed_in_the_middle(model / "model.safetensors", n_bytes)
    assert content(model) != before


@pytest.mark.parametrize(
    "name",
    [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "chat_template.jinja", "additional_chat_templates/tools.jinja", "vocab.json", "merges.txt",
        "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json", "qwen.tiktoken",
        "tokenizer.4.0.0.json", "source.spm",
    ],
)  # fmt: skip
def test_settings_tokenizers_and_templates_count(model: Path, name: str) -> None:
    before = content(model)
    file = model / name
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"n": 1}')
    first = content(model)
    file.write_text('{"n": 2}')
    assert len({before, first, content(model)}) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda d: (d / "README.md").write_text("changed"),
        lambda d: (d / "training_args.bin").unlink(),
        lambda d: (d / "pytorch_model.bin").write_text("other weights, never read"),
        lambda d: (d / "consolidated.safetensors").write_text("other weights, never read"),
        lambda d: (d / "model.fp16.safetensors").write_text("other weights, never read"),
        lambda d: (d / INDEX).write_text('{"weight_map": {"a": "never-read.safetensors"}}'),
        lambda d: (d / "modeling_own.py").write_text("never_run = True"),
        lambda d: (d / "logs").mkdir(),
        lambda d: os.utime(d / "model.safetensors", (1, 1)),
        lambda d: (d / "chat_template.jinja").chmod(0o600),
    ],
)
def test_what_is_not_read_does_not_count(model: Path, change: Callable[[Path], object]) -> None:
    before = content(model)
    change(model)
    assert content(model) == before


def test_the_place_does_not_count(model: Path, tmp_path: Path) -> None:
    before = content(model)
    shutil.copytree(model, tmp_path / "copy")
    model.rename(tmp_path / "moved")
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert {content(tmp_path / name) for name in ("copy", "moved", "link")} == {before}


# --- shards ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sharded(model: Path) -> Path:
    """Two shards, one of them in a folder, and a stray one that the index does not name."""
    (model / "model.safetensors").unlink()
    (model / "parts").mkdir()
    shards = {"a": "model-00001-of-00002.safetensors", "b": "parts/model-00002-of-00002.safetensors"}
    for name in [*shards.values(), "model-00003-of-00003.safetensors"]:
        (model / name).write_bytes(bytes(2 * MIB))
    (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    return model


def test_shards_that_the_index_names_count(sharded: Path) -> None:
    seen = [content(sharded)]
    for name in ("model-00001-of-00002.safetensors", "parts/model-00002-of-00002.safetensors"):
        changed_in_the_middle(sharded / name)
        seen.append(content(sharded))
    (sharded / INDEX).write_text((sharded / INDEX).read_text() + " ")
    seen.append(content(sharded))
    assert len(set(seen)) == 4
    changed_in_the_middle(sharded / "model-00003-of-00003.safetensors")
    assert content(sharded) == seen[-1]


def test_a_shard_that_is_missing_is_named(sharded: Path) -> None:
    (sharded / "parts" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(BadInput, match=rf"parts/model-00002.*: no such file, though {INDEX} names it"):
        content(sharded)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("\xff", "byte 1 is 0xff, which is not UTF-8"),
        ("[]", "found list, allowed: a JSON object"),
        ("{}", "field weight_map: must name the file of each weight"),
        ('{"weight_map": {}}', "field weight_map: must name the file of each weight"),
        ('{"weight_map": ["a"]}', "field weight_map: must name the file of each weight"),
        ('{"weight_map": {"a": 3}}', "field weight_map: found '3', allowed: a .safetensors file below it"),
        ('{"weight_map": {"a": "../x.safetensors"}}', "field weight_map: found '../x.safetensors', allowed"),
        ('{"weight_map": {"a": "/x.safetensors"}}', "field weight_map: found '/x.safetensors', allowed"),
        ('{"weight_map": {"a": "pytorch_model.bin"}}', "field weight_map: found 'pytorch_model.bin', allowed"),
    ],
)
def test_an_index_that_cannot_be_followed_is_one_sentence(sharded: Path, text: str, sentence: str) -> None:
    (sharded / INDEX).write_text(text, encoding="latin-1")
    with pytest.raises(BadInput) as error:
        content(sharded)
    assert str(error.value).startswith(f"{sharded / INDEX}: {sentence}")


def test_weights_under_a_name_of_their_own_count(model: Path) -> None:
    """`transformers_weights` in config.json, which transformers prefers to any other file."""
    (model / "config.json").write_text('{"transformers_weights": "mine.safetensors"}')
    with pytest.raises(BadInput, match=r"mine\.safetensors: no such file"):
        content(model)
    (model / "mine.safetensors").write_bytes(b"one")
    before = content(model)
    changed_in_the_middle(model / "model.safetensors")
    assert content(model) == before
    (model / "mine.safetensors").write_bytes(b"two")
    assert content(model) != before
    (model / "config.json").write_text('{"transformers_weights": "../mine.safetensors"}')
    with pytest.raises(BadInput, match=r"config\.json: field transformers_weights: found '\.\./mine"):
        content(model)


# --- adapters, code, what is missing --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_of_its_own_counts(model: Path, name: str) -> None:
    before = content(model)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (model / file).write_text("one")
    with_adapter = content(model)
    (model / name).write_text("two")
    assert len({before, with_adapter, content(model)}) == 3


def test_an_adapter_without_weights_is_named(model: Path) -> None:
    (model / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"adapter_model\.safetensors: no such file"):
        content(model)


def test_with_code_of_its_own_every_file_counts(model: Path) -> None:
    (model / "code").mkdir()
    (model / ".git").mkdir()
    files = [model / name for name in ("modeling.py", "code/ops.py", "table.dat", "pytorch_model.bin", ".git/HEAD")]
    seen = []
    for file in files:
        file.write_text("changed")
        seen.append(content(model, remote_code=True))
    assert len(set(seen)) == 4 and seen[-1] == seen[-2]


def test_a_directory_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^model\.path=/nowhere: no such directory"):
        content(Path("/nowhere"))
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(BadInput, match=r"no \.safetensors file in it that is read: model\.safetensors or model\.saf"):
        content(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(BadInput, match=r"config\.json: no such file"):
        content(tmp_path)


# --- against transformers -------------------------------------------------------------------------------------------


def test_every_file_that_a_tokenizer_of_transformers_asks_for_counts() -> None:
    models = Path(transformers.__file__).parent / "models"
    names: set[str] = set()
    n_unreadable = 0
    for file in sorted(models.glob("*/tokenization_*.py")):
        try:
            module = importlib.import_module(f"transformers.models.{file.parent.name}.{file.stem}")
        except (ImportError, NameError):  # a package that only this tokenizer needs
            n_unreadable += 1
            continue
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, PreTrainedTokenizerBase):
                names |= set((kind.vocab_files_names or {}).values())
    assert n_unreadable < 10 and len(names) > 15
    assert {name for name in names if not _COUNTED.match(name)} == set()


def test_every_file_that_save_pretrained_writes_counts(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = {"default": "{{ messages }}", "tools": "{{ tools }}"}
    tokenizer.save_pretrained(tmp_path)
    tiny_model("llama").save_pretrained(tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"chat_template.jinja", "tools.jinja", "generation_config.json", "tokenizer.json"} <= {f.name for f in files}
    for file in files:
        before = content(tmp_path)
        changed = file.read_bytes()
        file.write_bytes(changed + b" ")
        assert content(tmp_path) != before, file.name
        file.write_bytes(changed)
