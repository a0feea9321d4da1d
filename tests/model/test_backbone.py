"""Backbones: what is trainable, what an adapter directory holds, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from making import make_backbone, method_config, model_config
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from bsft import config as cfg
from bsft.data.methods import method_of
from bsft.model import fast
from bsft.model.adapters import adapt
from bsft.model.backbone import VOCABULARY, Backbone, load_backbone
from bsft.model.road_trial import Road
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput

LORA_PER_RANK = 2 * (64 + 48 + 48 + 64 + 96 + 96 + 96)
"""Two layers of q, k, v, o, gate, up, down: inputs plus outputs of each."""
ROWS = 3 * 32
N_TINY = {"llama": 26880, "llama_untied": 26880 + 259 * 32}


def n_trainable(backbone: Backbone) -> int:
    return sum(parameter.numel() for parameter in backbone.trainable().values())


# --- what is trainable ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "method", "expected"),
    [
        ("llama", "baseline", 0),
        ("llama", "few_shot", 0),
        ("llama", "general_sft", 16 * LORA_PER_RANK),
        ("llama", "behavior_sft", 16 * LORA_PER_RANK + ROWS),
        ("llama_untied", "general_sft", 16 * LORA_PER_RANK),
        ("llama_untied", "behavior_sft", 16 * LORA_PER_RANK + 2 * ROWS),
        ("qwen2", "behavior_sft", 16 * LORA_PER_RANK + ROWS),
        ("gemma3", "behavior_sft", 16 * LORA_PER_RANK + ROWS),
    ],
)
def test_only_adapters_and_the_tokens_rows_are_trainable(architecture: str, method: str, expected: int) -> None:
    backbone = make_backbone(architecture, method_config(method))
    assert n_trainable(backbone) == expected
    assert all("lora_" in name or "trainable_tokens" in name for name in backbone.trainable())


def test_rank_and_targets_say_where_the_adapters_are() -> None:
    lora = cfg.LoraConfig(rank=2, targets=["q_proj"])
    backbone = make_backbone("llama", method_config("general_sft", lora=lora))
    assert n_trainable(backbone) == 2 * 2 * 64
    assert all(".q_proj." in name for name in backbone.trainable())


def test_adapters_begin_at_a_layer_that_the_model_has() -> None:
    backbone = make_backbone("llama", method_config("general_sft"), first_layer=1)
    assert n_trainable(backbone) == 16 * LORA_PER_RANK / 2
    assert all(".layers.1." in name for name in backbone.trainable())
    with pytest.raises(BadInput, match=r"trainer.fit.first_layer=2: must be below the model's 2 known layers"):
        make_backbone("llama", method_config("general_sft"), first_layer=2)


@pytest.mark.parametrize(("method", "new_rows"), [("general_sft", 0), ("behavior_sft", ROWS)])
def test_full_tuning_trains_everything(method: str, new_rows: int) -> None:
    backbone = make_backbone("llama", method_config(method, tuning="full"))
    assert backbone.adapted is None
    assert n_trainable(backbone) == N_TINY["llama"] + new_rows


def test_general_and_behavior_sft_start_from_the_same_adapters() -> None:
    general = make_backbone("llama", method_config("general_sft")).trainable()
    behavior = make_backbone("llama", method_config("behavior_sft")).trainable()
    assert set(general) < set(behavior)
    for name, parameter in general.items():
        torch.testing.assert_close(parameter, behavior[name], rtol=0, atol=0)


def test_the_seed_decides_the_adapters() -> None:
    one, same, other = (make_backbone(seed=seed).trainable() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_mixed_precision_holds_the_matrices_of_frozen_layers_in_bf16_and_all_else_in_fp32() -> None:
    for backbone in (
        make_backbone("llama_untied", precision="bf16-mixed"),
        make_backbone("llama_untied", method_config("baseline"), precision="bf16-mixed"),
        load_backbone(model_config(dtype="bfloat16"), method_of(method_config())),
    ):
        for name, parameter in backbone.module.named_parameters():
            in_layer = ".layers." in name and "norm" not in name and not parameter.requires_grad
            assert parameter.dtype == (torch.bfloat16 if in_layer else torch.float32), name
    full = make_backbone(method=method_config("general_sft", tuning="full"), precision="bf16-mixed")
    assert {p.dtype for p in full.trainable().values()} == {torch.float32}


def test_checkpointing_is_on_where_it_is_asked_for() -> None:
    assert make_backbone(method=method_config(gradient_checkpointing=True)).causal.is_gradient_checkpointing
    assert not make_backbone().causal.is_gradient_checkpointing


def test_hidden_states_and_logits_are_those_of_the_model() -> None:
    for architecture in ("llama", "llama_untied", "qwen2", "gemma3"):
        backbone = make_backbone(architecture)
        ids = torch.tensor([[1, 40, 41, 42]])
        torch.testing.assert_close(backbone.logits(backbone.hidden_states(ids)), backbone.causal(ids).logits)
        assert backbone.road == Road("tree")
        assert backbone.vocabulary_size == 262


def test_a_soft_cap_on_logits_is_kept() -> None:
    backbone = make_backbone("gemma3")
    backbone.causal.config.final_logit_softcapping = 0.01
    ids = torch.tensor([[1, 40, 41, 42]])
    found = backbone.logits(backbone.hidden_states(ids))
    assert found.abs().max() <= 0.01
    torch.testing.assert_close(found, backbone.causal(ids).logits)


# --- adapter directories --------------------------------------------------------------------------------------------


def disturbed(backbone: Backbone) -> Backbone:
    """As if it had been trained."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return backbone


def logits_of(backbone: Backbone) -> torch.Tensor:
    ids = torch.tensor([[1, 40, 259, 41, 261, 42]])[:, : 6 if backbone.vocabulary else 2]
    with torch.inference_mode():
        return backbone.logits(backbone.hidden_states(ids))


@pytest.mark.parametrize("architecture", ["llama", "llama_untied", "gemma3"])
@pytest.mark.parametrize(
    "method", [method_config(), method_config("general_sft"), method_config(tuning="full")], ids=["bsft", "sft", "full"]
)
def test_an_adapter_reloads_to_the_same_logits(tmp_path: Path, architecture: str, method: cfg.SftConfig) -> None:
    saved = disturbed(make_backbone(architecture, method))
    saved.save_adapter(tmp_path)
    fresh = make_backbone(architecture, method, seed=5)
    assert (logits_of(fresh) - logits_of(saved)).abs().max() > 1e-3
    fresh.load_adapter(tmp_path)
    torch.testing.assert_close(logits_of(fresh), logits_of(saved), rtol=0, atol=0)
    assert {name: p.requires_grad for name, p in fresh.trainable().items()}.keys() == saved.trainable().keys()


def test_an_adapter_carries_tokenizer_and_vocabulary_and_not_the_base(tmp_path: Path) -> None:
    backbone = make_backbone("llama_untied")
    backbone.save_adapter(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", VOCABULARY}
    weights = load_file(tmp_path / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == n_trainable(backbone)
    assert json.loads((tmp_path / VOCABULARY).read_text()) == backbone.vocabulary.as_dict()  # type: ignore[union-attr]


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    make_backbone().save_adapter(tmp_path)
    saved = json.loads((tmp_path / VOCABULARY).read_text())
    saved["proactive"]["id"] = 7
    (tmp_path / VOCABULARY).write_text(json.dumps(saved))
    with pytest.raises(BadInput, match=r"behavior_vocabulary\.json: behaviour proactive is .* this model's is"):
        make_backbone().load_adapter(tmp_path)


def test_an_adapter_of_another_method_is_refused(tmp_path: Path) -> None:
    make_backbone().save_adapter(tmp_path / "behavior")
    make_backbone(method=method_config("general_sft")).save_adapter(tmp_path / "general")
    with pytest.raises(BadInput, match="no such file; the adapter was made without behaviour tokens"):
        make_backbone().load_adapter(tmp_path / "general")
    with pytest.raises(BadInput, match="unexpected weights"):
        make_backbone(method=method_config("general_sft")).load_adapter(tmp_path / "behavior")


def test_an_adapter_that_lacks_a_trainable_parameter_is_refused(tmp_path: Path) -> None:
    make_backbone().save_adapter(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    weights = load_file(file)
    lost = next(name for name in weights if "lora_B" in name)
    save_file({name: tensor for name, tensor in weights.items() if name != lost}, file)
    with pytest.raises(BadInput, match=r"1 trainable parameters are missing, first .*lora_B"):
        make_backbone().load_adapter(tmp_path)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_missing_or_damaged_weight_file_is_named(tmp_path: Path, tuning: str) -> None:
    method = method_config(tuning=tuning)
    make_backbone(method=method).save_adapter(tmp_path)
    [file] = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadInput, match=r"\.safetensors: damaged"):
        make_backbone(method=method).load_adapter(tmp_path)
    file.unlink()
    with pytest.raises(BadInput, match=r"no .*\.safetensors file"):
        make_backbone(method=method).load_adapter(tmp_path)


# --- loading --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a directory of safetensors."""
    directory = tmp_path_factory.mktemp("local")
    tiny_model("qwen2").save_pretrained(directory)
    tiny_tokenizer().save_pretrained(directory)
    return directory


def load(method: Any = None, **model: Any) -> Backbone:
    return load_backbone(cfg.ModelConfig(**{"name": "m", **model}), method_of(method or method_config("baseline")))


def test_a_local_directory_is_loaded(local: Path) -> None:
    backbone = load(source="local", path=str(local))
    expected = make_backbone("qwen2", method_config("baseline"))
    torch.testing.assert_close(logits_of(backbone), logits_of(expected))
    assert backbone.tokenizer.chat_template == expected.tokenizer.chat_template
    assert not backbone.trainable()


def test_a_tokenizer_without_chat_template_needs_one(local: Path, tmp_path: Path) -> None:
    tiny_model("llama").save_pretrained(tmp_path)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"its tokenizer has no chat template; set model\.chat_template=chatml"):
        load(source="local", path=str(tmp_path))
    assert load(source="local", path=str(tmp_path), chat_template="chatml").tokenizer.chat_template


def test_qlora_is_refused_without_cuda(local: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    with pytest.raises(BadInput, match=r"method\.tuning=qlora needs a CUDA device"):
        load(method_config("general_sft", tuning="qlora"), source="local", path=str(local))


def test_weights_that_cannot_be_had_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="model=m: nobody/nothing could not be loaded from the hub: ") as caught:
        load(source="hub", id="nobody/nothing", revision="0" * 40)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="could not be loaded from the local: "):
        load(source="local", path=str(tmp_path))


def test_a_random_model_is_the_same_for_the_same_seed_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (tiny_model("llama", seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_an_architecture_with_other_names_works_with_patches_too() -> None:
    small = GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=50, n_positions=16)
    backbone = Backbone(GPT2LMHeadModel(small).train(False), tiny_tokenizer(), None)
    fast.install(backbone)
    ids = torch.tensor([[1, 40, 41, 42]])
    torch.testing.assert_close(backbone.logits(backbone.hidden_states(ids)), backbone.causal(ids).logits)
    sft = cfg.SftConfig(name="general_sft")
    assert adapt(GPT2LMHeadModel(small), sft, None, 0).peft_config
    with pytest.raises(BadInput, match=r"trainer.fit.first_layer=1: must be below the model's 1 known layers"):
        adapt(GPT2LMHeadModel(small), sft, None, 1)
