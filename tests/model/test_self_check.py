"""The self-check at load: a road that is wrong is refused with a sentence, and the model is left as it was."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import ARCHITECTURES
from making import items_of, make_backbone, make_renderer, method_config, model_config, random_model, shaken
from transformers import AutoConfig, LlamaForCausalLM

from bsft.data.methods import method_of
from bsft.model import backbone as loading
from bsft.model import fast, self_check
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.fast import gated_mlp
from bsft.model.road_trial import WHOLE, Road
from bsft.model.self_check import choose_road
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput
from bsft.scoring.choices import OptionScorer
from bsft.scoring.generate import generate


def saved(model_type: str, directory: Path) -> dict[str, Any]:
    ARCHITECTURES[model_type].model().save_pretrained(directory)
    tiny_tokenizer().save_pretrained(directory)
    return {"name": model_type, "source": "local", "id": None, "path": str(directory)}


@pytest.fixture
def logits_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose logits depend on more than its hidden states."""
    forward = LlamaForCausalLM.forward

    def other(self: LlamaForCausalLM, input_ids: torch.Tensor | None = None, **kwargs: Any) -> Any:
        outputs = forward(self, input_ids=input_ids, **kwargs)
        if input_ids is not None:
            outputs.logits = outputs.logits + 0.1 * input_ids[..., None].cos() * torch.arange(outputs.logits.shape[-1])
        return outputs

    monkeypatch.setattr(LlamaForCausalLM, "forward", other)


def test_a_model_that_cannot_be_split_is_read_whole(logits_of_ids: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "bsft"):
        backbone = shaken(make_backbone())
    assert backbone.road == WHOLE
    for road in ("prefix trees", "padded batches"):
        assert (
            f"model=tiny: {road} are refused for LlamaForCausalLM, because logits differ from transformers' own by"
            in (caplog.text)
        )
    renderer = make_renderer(backbone)
    candidates = [renderer.candidates(item) for item in items_of([0])[:1]]
    [scored] = OptionScorer(backbone, batching="flat", batch_tokens=999).score(candidates, lambda *_: [None])
    for found, option in zip(scored.log_likelihoods[None], scored.candidates.option_ids, strict=True):
        ids = torch.tensor([scored.candidates.prompt_ids + option])
        with torch.no_grad():
            log_probs = backbone.causal(ids).logits[0, -len(option) - 1 : -1].double().log_softmax(-1)
        assert found == pytest.approx(log_probs.gather(1, torch.tensor(option)[:, None]).sum().item(), abs=1e-3)


def test_a_model_that_reads_ahead_is_refused(tmp_path: Path) -> None:
    config = AutoConfig.for_model("bert", vocab_size=259, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    config.is_decoder = False
    random_model(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = model_config(name="m", source="local", id=None, path=str(tmp_path))
    with pytest.raises(BadInput, match="model=m: BertLMHeadModel cannot be used: it reads ahead"):
        load_backbone(model, method_of(method_config("baseline")))


def test_adapters_that_do_not_act_as_their_weights_would_are_refused(tmp_path: Path) -> None:
    """Jamba reads the weight of `dt_proj` itself, past the adapter."""
    with pytest.raises(BadInput, match=r"JambaForCausalLM cannot be used with this method: .* name other layers in"):
        load_backbone(model_config(**saved("jamba", tmp_path)), method_of(method_config()), batching="flat")


def test_a_patch_that_is_wrong_is_left_out_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gated = gated_mlp._gated
    monkeypatch.setattr(gated_mlp, "_gated", lambda gate, up: 2 * gated(gate, up))
    with caplog.at_level(logging.INFO, "bsft"):
        backbone = make_backbone()
    assert backbone.road == Road("tree", patches=fast.NAMES - {"gated MLP"})
    assert "model=tiny: gated MLP is left out, because logits differ from transformers' own by" in caplog.text
    assert any("forward" in vars(m) and "lora" in type(m).__module__ for m in backbone.module.modules())


def test_the_check_leaves_the_model_and_random_states_alone() -> None:
    causal = tiny_model("llama", dtype=torch.bfloat16).train()
    before = {name: p.clone() for name, p in causal.state_dict().items()}
    method = method_of(method_config())
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)

    def on_trial(*arguments: Any) -> Backbone:
        return loading._on_trial(*arguments, tokenizer=tiny_tokenizer(), method=method, upper=False)

    assert choose_road(model_config(max_length_tokens=512), causal, "tree", on_trial) == Road("tree")
    assert torch.rand(1) == expected
    assert causal.training and all(p.requires_grad and p.dtype == torch.bfloat16 for p in causal.parameters())
    assert causal.config._attn_implementation == "sdpa"
    assert all(torch.equal(p, before[name]) for name, p in causal.state_dict().items())


@pytest.mark.parametrize("model_type", ["gemma2", "gpt_oss", "deepseek_v3", "llama4_text", "lfm2"])
def test_a_large_model_is_judged_by_a_copy_with_every_kind_of_its_layers(
    model_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, method = model_config(**saved(model_type, tmp_path)), method_of(method_config("baseline"))
    expected = load_backbone(model, method)
    monkeypatch.setattr(self_check, "MAX_PARAMETERS", 0)
    copy = self_check.small_copy(expected.causal, 512)
    kinds = {type(part) for part in expected.causal.modules()}
    assert kinds == {type(part) for part in copy.modules()}
    assert copy.config.num_hidden_layers == (3 if model_type == "llama4_text" else 2)
    assert copy.config.vocab_size == 259
    assert load_backbone(model, method).road == expected.road


def test_windows_that_matter_are_shorter_than_what_is_tried(tmp_path: Path) -> None:
    causal = load_backbone(model_config(**saved("mistral", tmp_path)), method_of(method_config("baseline"))).causal
    assert self_check.small_copy(causal, 512).config.sliding_window == 8
    assert self_check.small_copy(causal, 24).config.sliding_window == 24
    assert causal.config.sliding_window == 24


@pytest.mark.parametrize(("max_length_tokens", "road"), [(64, Road("tree")), (65, WHOLE)])
def test_a_rotation_that_depends_on_the_length_is_not_shared(
    max_length_tokens: int, road: Road, tmp_path: Path
) -> None:
    """In a tree or a padded batch the longest sequence would decide for all."""
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [9.0] * 4, "rope_theta": 100.0}
    architecture = ARCHITECTURES["phi3"]
    options = {"rope_parameters": rope, "original_max_position_embeddings": 64}
    dataclasses.replace(architecture, options=options).model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = model_config(name="m", source="local", id=None, path=str(tmp_path), max_length_tokens=max_length_tokens)
    assert load_backbone(model, method_of(method_config("baseline"))).road == road


@pytest.mark.parametrize("name", ["eager", "sdpa"])
def test_sequences_are_read_with_the_attention_that_was_chosen(name: str) -> None:
    method = method_config("baseline")
    backbone = load_backbone(model_config(attention=name), method_of(method))
    renderer = make_renderer(backbone, method)
    candidates = [renderer.candidates(item) for item in items_of([0])[:1]]
    backbone.use_attention(backbone.tree_attention)
    used: set[str] = set()
    backbone.causal.register_forward_pre_hook(lambda model, _: used.add(model.config._attn_implementation))
    backbone.causal.base_model.register_forward_pre_hook(lambda model, _: used.add(model.config._attn_implementation))
    OptionScorer(backbone, batching="flat", batch_tokens=999).score(candidates)
    generate(backbone, candidates, [None], max_new_tokens=1, end_of_turn=renderer.end_of_turn)
    assert used == {name}
    assert backbone.causal.config._attn_implementation == backbone.tree_attention, "what it was before"


def test_an_attention_that_a_model_does_not_have_is_replaced_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "bsft"):
        backbone = load_backbone(model_config(**saved("gemma2", tmp_path)), method_of(method_config("baseline")))
    assert backbone.attention == "eager"
    assert "model=gemma2: model.attention=sdpa is refused, eager is used instead: Gemma2ForCausalLM" in caplog.text
