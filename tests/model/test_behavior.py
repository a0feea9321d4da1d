"""The behaviour vocabulary: three tokens beside whatever special tokens a tokenizer has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from making import head_weight, make_backbone, method_config

from bsft import config as cfg
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.model.adapters import DESCRIPTIONS, initial_rows
from bsft.model.parts import embedding_of
from bsft.model.tiny import tiny_tokenizer
from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS


def test_the_tokens_are_new_single_and_in_spectrum_order() -> None:
    tokenizer = tiny_tokenizer()
    vocabulary = BehaviorVocabulary.add_to(tokenizer)
    assert vocabulary.tokens == ("<|reactive|>", "<|balanced|>", "<|proactive|>")
    assert vocabulary.ids == (259, 260, 261)
    assert [vocabulary.id_of(behavior) for behavior in BEHAVIORS] == [259, 260, 261]
    assert tokenizer.encode("A<|proactive|>B", add_special_tokens=False) == [35, 261, 36]


def test_adding_twice_changes_nothing() -> None:
    tokenizer = tiny_tokenizer()
    first = BehaviorVocabulary.add_to(tokenizer)
    size = len(tokenizer)
    assert BehaviorVocabulary.add_to(tokenizer) == first
    assert len(tokenizer) == size == 262


def test_other_special_tokens_are_left_as_they_are() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|tool|>"]})
    before = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    vocabulary = BehaviorVocabulary.add_to(tokenizer)
    assert {name: getattr(tokenizer, name) for name in before} == before == dict(zip(before, (1, 2, 0), strict=True))
    assert tokenizer.encode("<|tool|>", add_special_tokens=False) == [259]
    assert vocabulary.ids == (260, 261, 262)
    assert set(tokenizer.all_special_tokens) >= {"<|tool|>", "<|im_start|>", *vocabulary.tokens}


def test_text_that_merely_looks_like_a_token_is_text() -> None:
    tokenizer = tiny_tokenizer()
    BehaviorVocabulary.add_to(tokenizer)
    assert max(tokenizer.encode("<|Proactive|> <proactive> |proactive|", add_special_tokens=False)) < 259


VOCABULARY = BehaviorVocabulary(("<|reactive|>", "<|balanced|>", "<|proactive|>"), (259, 260, 261))


def test_the_saved_form_says_name_token_id_and_position() -> None:
    assert VOCABULARY.as_dict() == {
        "reactive": {"token": "<|reactive|>", "id": 259, "position": 0.0},
        "balanced": {"token": "<|balanced|>", "id": 260, "position": 0.5},
        "proactive": {"token": "<|proactive|>", "id": 261, "position": 1.0},
    }
    VOCABULARY.check_same(VOCABULARY.as_dict(), "here")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            lambda saved: saved.pop("balanced"),
            "here: behaviours are reactive, proactive; this model's are reactive, bal",
        ),
        (lambda saved: saved.update(bold={}), "here: behaviours are reactive, balanced, proactive, bold"),
        (
            lambda saved: saved["balanced"].update(id=7),
            "here: behaviour balanced is .*'id': 7.*; this model's is .*260",
        ),
        (lambda saved: saved["reactive"].update(token="<r>"), "here: behaviour reactive is .*<r>"),
        (lambda saved: saved["proactive"].update(position=0.9), "here: behaviour proactive is .*0.9"),
    ],
)
def test_another_vocabulary_is_refused(damage: Any, sentence: str) -> None:
    saved = VOCABULARY.as_dict()
    damage(saved)
    with pytest.raises(BadInput, match=sentence):
        VOCABULARY.check_same(saved, "here")


# --- first values of the rows ---------------------------------------------------------------------------------------


def test_rows_start_from_the_mean_of_their_description() -> None:
    tokenizer = tiny_tokenizer()
    embeddings = torch.randn(300, 4)
    rows = initial_rows(embeddings, tokenizer, "description", 259)
    for row, behavior in zip(rows, BEHAVIORS, strict=True):
        ids = tokenizer.encode(DESCRIPTIONS[behavior], add_special_tokens=False)
        torch.testing.assert_close(row, embeddings[ids].mean(0))


def test_rows_start_from_the_mean_or_at_random_like_the_models_own() -> None:
    embeddings = torch.cat([torch.randn(200, 64) * 3 + 5, torch.full((100, 64), 1e6)])
    mean = initial_rows(embeddings, tiny_tokenizer(), "mean", 200)
    torch.testing.assert_close(mean, embeddings[:200].mean(0).expand(3, -1), msg="spare rows do not count")
    random = initial_rows(embeddings, tiny_tokenizer(), "random", 200)
    assert abs(random.mean() - 5) < 1 and 2 < random.std() < 4
    assert len(torch.unique(random, dim=0)) == 3


def test_rows_take_the_dtype_of_their_matrix() -> None:
    rows = initial_rows(torch.randn(300, 4, dtype=torch.bfloat16), tiny_tokenizer(), "mean", 259)
    assert (rows.dtype, rows.shape) == (torch.bfloat16, (3, 4))


@pytest.mark.parametrize("architecture", ["llama", "llama_untied"])
def test_a_backbone_has_rows_for_its_tokens_in_every_matrix(architecture: str) -> None:
    method = method_config(behavior=cfg.BehaviorConfig(init="mean"))
    plain, marked = make_backbone(architecture, method_config("baseline")), make_backbone(architecture, method)
    assert (plain.vocabulary_size, marked.vocabulary_size) == (259, 262)
    matrices = [embedding_of(b.causal).weight for b in (plain, marked)]
    heads = [head_weight(b) for b in (plain, marked)]
    for before, after in (matrices, heads):
        torch.testing.assert_close(after[:259], before)
        torch.testing.assert_close(after[259:], before.mean(0).expand(3, -1))
    assert torch.equal(heads[1], matrices[1]) == (architecture == "llama")
