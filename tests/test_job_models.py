"""Whole jobs on models whose arithmetic is not Llama's: the log-likelihoods on disk are plain transformers'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from architectures import SIZES
from making import make_renderer, method_config, random_model
from transformers import AutoConfig

from bsft.config.method import SYSTEM_PROMPT
from bsft.model.backbone import Backbone
from bsft.model.tiny import tiny_tokenizer
from bsft.records.store import open_benchmark
from bsft.runs.directory import LOG, PREDICTIONS

if TYPE_CHECKING:
    from jobs import Train

GEMMA2 = {"query_pre_attn_scalar": 8, "sliding_window": 24, "attn_logit_softcapping": 3.0}
LFM2 = {"conv_L_cache": 3, "layer_types": ["conv", "full_attention", "conv"]}


@pytest.mark.parametrize(
    ("model_type", "options", "attention", "refused"),
    [
        ("granite", {"logits_scaling": 8.0}, "sdpa", None),
        ("gemma2", GEMMA2, "eager", None),
        ("lfm2", LFM2, "sdpa", "model=mine: prefix trees are refused for Lfm2ForCausalLM, because"),
        ("gpt_neox", {}, "sdpa", None),
    ],
)
def test_log_likelihoods_are_those_of_transformers(
    model_type: str,
    options: dict[str, Any],
    attention: str,
    refused: str | None,
    train: Train,
    small: Path,
    tmp_path: Path,
) -> None:
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **SIZES, **options)
    plain = random_model(config, attn_implementation=attention)
    plain.save_pretrained(tmp_path / "mine")
    tokenizer.save_pretrained(tmp_path / "mine")
    ended = train(
        *("method=baseline", "model.name=mine", "model.source=local", f"model.path={tmp_path / 'mine'}"),
        *(f"model.attention={attention}", "data.max_eval_items=4"),
    )
    assert ended.code == 0
    log = (ended.run.path / LOG).read_text()
    assert "refused" not in log if refused is None else refused in log

    renderer = make_renderer(Backbone(plain, tokenizer, None), method_config("baseline", system_prompt=SYSTEM_PROMPT))
    items = {item.id: item for item in open_benchmark(small).items("test")}
    lines = [json.loads(line) for line in (ended.run.path / PREDICTIONS).read_text().splitlines()]
    assert len(lines) == 4
    for line in lines:
        candidates = renderer.candidates(items[line["item_id"]])
        for option, ids in zip(line["options"], candidates.option_ids, strict=True):
            with torch.no_grad():
                read = plain(torch.tensor([candidates.prompt_ids + ids])).logits[0, -len(ids) - 1 : -1]
            expected = read.double().log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum().item()
            assert option["log_likelihood"] == pytest.approx(expected, abs=1e-3)
