"""Tokenizers as they are loaded: with their own way of writing conversations, or with ChatML instead."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from families import FAMILIES, Family
from making import SHORT_PROMPT, decoded, items_of
from transformers import PreTrainedTokenizerBase

from bsft import config as cfg
from bsft.data.methods import Method
from bsft.data.render import Renderer
from bsft.model.tokenizer import load_tokenizer
from bsft.records.errors import BadInput
from bsft.records.schema import Item

ITEM: Item = items_of([0])[1]


def loaded(family: Family, directory: Path, override: str | None) -> PreTrainedTokenizerBase:
    family.tokenizer().save_pretrained(directory)
    model = cfg.ModelConfig(name="mine", source="local", path=str(directory), chat_template=override)
    return load_tokenizer(model, directory)


def read(tokenizer: PreTrainedTokenizerBase) -> tuple[str, list[str]]:
    """The prompt as text without the scene, and the tokens of the first option."""
    renderer = Renderer(tokenizer, Method("baseline", SHORT_PROMPT), vocabulary=None)
    found = renderer.candidates(ITEM)
    tokens = tokenizer.convert_ids_to_tokens(list(found.option_ids[0]))
    assert isinstance(tokens, list)
    return decoded(tokenizer, found.prompt_ids).replace(renderer.scene(ITEM, ()), "SCENE"), tokens


@pytest.mark.parametrize("override", [None, "chatml"])
@pytest.mark.parametrize("name", ["qwen_2.5", "qwen_3", "smollm2"])
def test_chatml_uses_the_tokens_that_a_tokenizer_has(name: str, override: str | None, tmp_path: Path) -> None:
    prompt, reply = read(loaded(FAMILIES[name], tmp_path, override))
    end = "<|im_start|>assistant\n"
    if name == "qwen_3" and override is None:
        end += "<think>\n\n</think>\n\n"
    assert prompt == (f"<|im_start|>system\n{SHORT_PROMPT}<|im_end|>\n<|im_start|>user\nSCENE<|im_end|>\n{end}")
    assert reply.count("<|im_end|>") == 1 and reply[-1] == "<|im_end|>"


@pytest.mark.parametrize(
    ("name", "first", "end"),
    [
        ("llama_3.2", "<|begin_of_text|>", "<|eot_id|>"),
        ("command_r", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
        ("deepseek_r1", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        ("glm_4", "[gMASK] <sop> ", "<|endoftext|>"),
        ("two_end_tokens", "", "</s>"),
        ("space_before_reply", "", "</s>"),
    ],
)
def test_chatml_instead_of_a_tokenizers_own_template(name: str, first: str, end: str, tmp_path: Path) -> None:
    """Without ChatML's tokens, turns end with the token that ends a sequence. What encode() puts first stays."""
    tokenizer = loaded(FAMILIES[name], tmp_path, "chatml")
    prompt, reply = read(tokenizer)
    rest = f"system\n{SHORT_PROMPT}{end}\nuser\nSCENE{end}\nassistant\n"
    assert prompt.replace(" ", "") == (first + rest).replace(" ", "")
    assert reply.count(end) == 1 and reply[-1] == end


@pytest.mark.parametrize("name", FAMILIES)
def test_chatml_works_on_every_tokenizer_and_begins_once(name: str, tmp_path: Path) -> None:
    tokenizer = loaded(FAMILIES[name], tmp_path, "chatml")
    renderer = Renderer(tokenizer, Method("few_shot", SHORT_PROMPT), vocabulary=None, exemplars=items_of([7])[:2])
    found = renderer.candidates(ITEM)
    leading = [tokenizer.convert_tokens_to_ids(token) for token in FAMILIES[name].leading]
    assert list(found.prompt_ids[: len(leading)]) == leading
    bos = tokenizer.bos_token_id
    if renderer.end_of_turn != tokenizer.bos_token and tokenizer.bos_token != "<|im_start|>":
        assert found.prompt_ids.count(bos) == (bos in leading)
    assert all(ids.count(ids[-1]) == 1 for ids in found.option_ids)


def test_a_tokenizer_with_nothing_to_end_a_turn_is_refused(tmp_path: Path) -> None:
    bare = dataclasses.replace(FAMILIES["zephyr"], eos=None)
    with pytest.raises(BadInput, match=r"mine: model\.chat_template=chatml: .* neither <\|im_end\|> nor an end-of-seq"):
        loaded(bare, tmp_path, "chatml")


def test_the_template_in_use_is_saved_with_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = loaded(FAMILIES["mistral"], tmp_path / "a", "chatml")
    tokenizer.save_pretrained(tmp_path / "b")
    assert "INST" not in (tmp_path / "b" / "chat_template.jinja").read_text()
