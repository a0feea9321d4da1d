"""Loading models of the hub from a cache that a test makes: the commit that is named, and whole models only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from making import method_config
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from bsft import config as cfg
from bsft.data.methods import method_of
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.parts import embedding_of
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput

A, B = "a" * 40, "b" * 40


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`org/model` as the hub's client keeps it: two commits of a model, the branch at the first."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--model"
    for seed, commit in enumerate((A, B)):
        save(repository / "snapshots" / commit, seed)
    point(repository, A)
    return repository


def point(repository: Path, commit: str) -> None:
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)


def save(directory: Path, seed: int = 0) -> None:
    tiny_model("llama", seed=seed).save_pretrained(directory)
    tiny_tokenizer().save_pretrained(directory)


def load(method: str = "baseline", **model: Any) -> Backbone:
    return load_backbone(cfg.ModelConfig(name="mine", **model), method_of(method_config(method)))


def same(backbone: Backbone, seed: int) -> bool:
    expected = embedding_of(tiny_model("llama", seed=seed)).weight
    return torch.equal(embedding_of(backbone.causal).weight, expected)


def test_the_commit_that_the_branch_is_known_to_be_is_loaded(repository: Path) -> None:
    assert same(load(id="org/model"), 0)
    point(repository, B)
    assert same(load(id="org/model"), 1)
    assert same(load(id="org/model", revision=A), 0)


def test_a_commit_that_is_not_there_is_one_sentence(repository: Path) -> None:
    with pytest.raises(BadInput, match=r"^model=mine: org/model could not be loaded from the hub"):
        load(id="org/model", revision="c" * 40)


def with_adapter(directory: Path) -> torch.Tensor:
    """Puts an adapter beside a model; returns the adapted model's logits of token 5."""
    causal = AutoModelForCausalLM.from_pretrained(directory)
    lora = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False)
    adapted = get_peft_model(causal, lora)
    adapted.save_pretrained(str(directory))
    with torch.no_grad():
        logits: torch.Tensor = adapted.eval()(torch.tensor([[5]])).logits
    return logits


def test_a_local_model_with_an_adapter_of_its_own_is_scored_with_it_and_not_fitted(tmp_path: Path) -> None:
    """Fitting would load it, then put adapters in its place: the numbers would be the bare model's."""
    save(tmp_path)
    expected = with_adapter(tmp_path)
    backbone = load(source="local", path=str(tmp_path))
    with torch.no_grad():
        logits = backbone.logits(backbone.hidden_states(torch.tensor([[5]])))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    for method in ("general_sft", "behavior_sft"):
        with pytest.raises(BadInput, match="fine-tuning would replace the PEFT adapter in it"):
            load(method, source="local", path=str(tmp_path))


def test_an_adapter_of_the_hub_is_refused(repository: Path, tmp_path: Path) -> None:
    """Its base model would come from a branch, whatever the adapter's commit."""
    save(tmp_path / "base")
    with_adapter(tmp_path / "base")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "base" / name).rename(repository / "snapshots" / A / name)
    with pytest.raises(BadInput, match="org/model is a PEFT adapter, whose base model is on a branch that may move"):
        load(id="org/model", revision=A)
