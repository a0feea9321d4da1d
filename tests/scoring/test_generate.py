"""Free replies: greedy, ended by the end of turn, matched to the options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES
from making import (
    decoded,
    head_weight,
    items_of,
    make_backbone,
    make_renderer,
    method_config,
    model_config,
    random_model,
    shaken,
)
from small import case_items
from transformers import AutoConfig
from transformers.modeling_outputs import CausalLMOutput

from bsft.data.methods import method_of
from bsft.model.backbone import Backbone, load_backbone
from bsft.records.schema import BEHAVIORS
from bsft.scoring.choices import Context
from bsft.scoring.generate import Generated, generate, generation_metrics, match
from bsft.scoring.result import Generation

ITEM = case_items(0, "test")[0]
"""Its options: "The potassium is low.", "The potassium is high.", "Stop: the chart errs."."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The potassium is low.", 0),
        ("the POTASSIUM is   high.", 1),
        ("The potassium is clearly low.", 0),
        ("Stop: the chart errs.", 2),
        ("the potassium", 0),  # as near to the second; the first of equals
        ("Give aspirin now.", None),
        ("", None),
    ],
)
def test_a_reply_is_matched_to_the_option_it_resembles(text: str, expected: int | None) -> None:
    assert match(text, ITEM) == expected


def test_metrics_by_hand() -> None:
    """Gold is the second option; likelihood chose the first of each."""
    replies = [Generated(ITEM, chosen, "") for chosen in (0, 1, None, 1)]
    assert generation_metrics(replies, [0, 0, 0, 1]) == Generation(n=4, unparsed_rate=0.25, accuracy=0.5, agreement=0.5)
    assert generation_metrics([], []) is None


def greedy(backbone: Backbone, ids: tuple[int, ...], n: int) -> list[int]:
    """The reference: one whole forward pass a token, up to the end of turn."""
    backbone.use_attention("sdpa")
    said: list[int] = []
    while len(said) < n and 2 not in said:
        with torch.inference_mode():
            logits = backbone.causal(torch.tensor([[*ids, *said]])).logits[0, -1]
        said.append(int(logits.argmax()))
    return said


@pytest.mark.parametrize("context", [None, "proactive"])
def test_replies_are_greedy_after_the_prompt_and_its_token(context: Context) -> None:
    backbone = shaken(make_backbone())
    renderer = make_renderer(backbone)
    candidates = [renderer.candidates(item) for item in items_of([0])]
    counted: list[int] = []
    replies = generate(
        backbone,
        candidates,
        [context] * 4,
        max_new_tokens=12,
        end_of_turn=renderer.end_of_turn,
        on_progress=counted.append,
    )
    token = () if context is None else (259 + BEHAVIORS.index(context),)
    for reply, candidate in zip(replies, candidates, strict=True):
        expected = greedy(backbone, candidate.prompt_ids + token, 12)
        assert reply.text == decoded(backbone.tokenizer, expected, skip_special_tokens=True).strip()
        assert reply.item == candidate.item
    assert counted == [1, 1, 1, 1]


def test_a_reply_ends_with_its_turn() -> None:
    """A model that wants nothing but to end its turn says nothing."""
    method = method_config("baseline")
    backbone = make_backbone(method=method)
    renderer = make_renderer(backbone, method)
    with torch.no_grad():
        head_weight(backbone)[2] = (
            100 * backbone.hidden_states(torch.tensor([renderer.candidates(ITEM).prompt_ids]))[0, -1]
        )
    [reply] = generate(
        backbone, [renderer.candidates(ITEM)], [None], max_new_tokens=50, end_of_turn=renderer.end_of_turn
    )
    assert (reply.text, reply.chosen) == ("", None)


@pytest.mark.parametrize("name", ["phi_3", "two_end_tokens"])
def test_generation_stops_at_the_first_token_of_the_end_of_turn(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `<|end|>` and the end of the sequence that the template writes after it, and not at any later one."""
    tokenizer = FAMILIES[name].tokenizer()
    tokenizer.save_pretrained(tmp_path)
    config = AutoConfig.for_model(
        "llama", vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2,
    )  # fmt: skip
    random_model(config).save_pretrained(tmp_path)
    method = method_config("baseline")
    backbone = load_backbone(model_config(source="local", path=str(tmp_path)), method_of(method))
    renderer = make_renderer(backbone, method)
    candidates = renderer.candidates(ITEM)
    end = tokenizer.convert_tokens_to_ids(FAMILIES[name].end)
    assert tokenizer.eos_token_id != end
    script = [*candidates.option_ids[2], tokenizer.eos_token_id, *candidates.option_ids[0]]

    def say(input_ids: torch.Tensor, **options: Any) -> Any:
        """A model that follows the script, whatever it reads."""
        logits = torch.zeros(1, 1, len(tokenizer))
        logits[0, -1, script[said[0]]] = 1.0
        said[0] += 1
        return CausalLMOutput(logits=logits)

    said = [0]
    monkeypatch.setattr(backbone.causal, "forward", say)
    [reply] = generate(backbone, [candidates], [None], max_new_tokens=len(script), end_of_turn=renderer.end_of_turn)
    assert said == [len(candidates.option_ids[2])]
    assert (reply.text, reply.chosen) == ("Stop: the chart errs.", 2)
