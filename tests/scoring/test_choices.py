"""Option scoring with trees equals scoring every option with its whole prompt, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from making import ALL_CONTEXTS, items_of, make_backbone, make_renderer, method_config, shaken

from bsft.data.render import Candidates, Renderer
from bsft.model import attention
from bsft.model.backbone import Backbone
from bsft.records.schema import BEHAVIORS, Behavior, Item
from bsft.scoring import choices
from bsft.scoring.choices import Context, Contexts, OptionScorer, Scored, most_likely, predicted_context

ITEMS = items_of(range(2))


def candidates_of(renderer: Renderer, items: Sequence[Item] = tuple(ITEMS)) -> list[Candidates]:
    return [renderer.candidates(item) for item in items]


def every_context(candidates: Candidates, predicted: Behavior | None) -> Sequence[Context]:
    return ALL_CONTEXTS


def score(
    backbone: Backbone,
    renderer: Renderer,
    batching: str = "tree",
    contexts: Contexts = predicted_context,
    *,
    batch_tokens: int = 8192,
    prefix: Sequence[int] = (),
) -> list[Scored]:
    scorer = OptionScorer(backbone, batching=batching, batch_tokens=batch_tokens, shared_prefix=prefix)
    return scorer.score(candidates_of(renderer), contexts)


def assert_equal(found: Sequence[Scored], expected: Sequence[Scored]) -> None:
    """The same best option for every item, and log-likelihoods within 1e-4."""
    assert [s.candidates.item.id for s in found] == [s.candidates.item.id for s in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.log_likelihoods.keys() == b.log_likelihoods.keys()
        for context, values in a.log_likelihoods.items():
            assert values == pytest.approx(b.log_likelihoods[context], abs=1e-4)
            assert _argmax(values) == _argmax(b.log_likelihoods[context])
        assert (a.behavior_probs is None) == (b.behavior_probs is None)
        if a.behavior_probs is not None and b.behavior_probs is not None:
            assert a.behavior_probs == pytest.approx(b.behavior_probs, abs=1e-5)


def _argmax(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: values[i])


def by_hand(backbone: Backbone, candidates: Candidates, context: Context) -> list[float]:
    """transformers' own forward pass over one whole sequence for each option."""
    backbone.use_attention("sdpa")
    token = () if context is None else (backbone.vocabulary.id_of(context),)  # type: ignore[union-attr]
    sums = []
    for option in candidates.option_ids:
        ids = candidates.prompt_ids + token + option
        with torch.inference_mode():
            log_probs = backbone.causal(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        start = len(ids) - len(option)
        sums.append(sum(log_probs[t - 1, ids[t]].item() for t in range(start, len(ids))))
    return sums


@pytest.mark.parametrize(
    ("architecture", "batching"),
    [("llama", "tree"), ("llama_untied", "tree"), ("qwen2", "tree"), ("gemma3", "tree"), ("llama", "flat")],
)
def test_sums_are_those_of_whole_sequences_under_every_context(architecture: str, batching: str) -> None:
    backbone = shaken(make_backbone(architecture))
    found = score(backbone, make_renderer(backbone), batching, every_context)
    for scored in found:
        assert list(scored.log_likelihoods) == list(ALL_CONTEXTS)
        for context in ALL_CONTEXTS:
            expected = by_hand(backbone, scored.candidates, context)
            assert scored.log_likelihoods[context] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 400, 8192])
@pytest.mark.parametrize("block_tokens", [8, 256])
def test_groups_of_any_size_equal_the_flat_reference(
    monkeypatch: pytest.MonkeyPatch, batch_tokens: int, block_tokens: int
) -> None:
    """One item, one case, or several cases at a time."""
    monkeypatch.setattr(attention, "MAX_BLOCK_TOKENS", block_tokens)
    backbone = shaken(make_backbone())
    renderer = make_renderer(backbone)
    expected = score(backbone, renderer, "flat", every_context)
    assert_equal(score(backbone, renderer, "tree", every_context, batch_tokens=batch_tokens), expected)


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_a_shared_prefix_is_read_once_and_changes_nothing(architecture: str) -> None:
    method = method_config("few_shot")
    backbone = shaken(make_backbone(architecture, method))
    renderer = make_renderer(backbone, method, exemplars=items_of([7]))
    prefix = renderer.shared_prefix()
    assert len(prefix) > 500
    n_read: list[int] = []
    read = backbone.hidden_states

    def counted(input_ids: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        n_read.append(input_ids.numel())
        return read(input_ids, **kwargs)

    backbone.hidden_states = counted  # type: ignore[method-assign]
    found = score(backbone, renderer, batch_tokens=1, prefix=prefix)
    assert n_read.count(len(prefix)) == 1
    assert sum(n_read) - len(prefix) < len(prefix) * len(ITEMS) / 2
    assert_equal(found, score(backbone, renderer, "flat"))


def test_a_prefix_that_a_prompt_does_not_have_is_left_out() -> None:
    method = method_config("baseline")
    backbone = shaken(make_backbone(method=method))
    renderer = make_renderer(backbone, method)
    assert_equal(score(backbone, renderer, prefix=[1, 99, 98]), score(backbone, renderer, "flat"))


def test_without_tokens_there_is_one_context_and_no_behaviour() -> None:
    method = method_config("general_sft")
    backbone = shaken(make_backbone(method=method))
    for scored in score(backbone, make_renderer(backbone, method)):
        assert list(scored.log_likelihoods) == [None]
        assert scored.behavior_probs is None and scored.predicted_behavior is None


def test_by_default_options_are_scored_after_the_predicted_token() -> None:
    backbone = shaken(make_backbone())
    for scored in score(backbone, make_renderer(backbone)):
        assert list(scored.log_likelihoods) == [scored.predicted_behavior]
        assert scored.behavior_probs is not None
        assert sum(scored.behavior_probs.values()) == pytest.approx(1)
        assert scored.predicted_behavior == most_likely(scored.behavior_probs)


def test_behaviour_probabilities_are_renormalised_over_the_three_tokens() -> None:
    backbone = shaken(make_backbone())
    [first, *_] = score(backbone, make_renderer(backbone))
    backbone.use_attention("sdpa")
    with torch.inference_mode():
        logits = backbone.causal(torch.tensor([first.candidates.prompt_ids])).logits[0, -1]
    expected = dict(zip(BEHAVIORS, logits[[259, 260, 261]].softmax(0).tolist(), strict=True))
    assert first.behavior_probs == pytest.approx(expected, abs=1e-5)


def test_of_equal_behaviours_the_first_of_the_spectrum_is_most_likely() -> None:
    assert most_likely({"proactive": 0.4, "balanced": 0.4, "reactive": 0.2}) == "balanced"


def test_an_option_of_one_token_has_nothing_to_read() -> None:
    """Without a behaviour token before it, it is scored from the prompt's last state."""
    method = method_config("baseline")
    backbone = shaken(make_backbone(method=method))
    whole, *_ = candidates_of(make_renderer(backbone, method))
    options = (whole.option_ids[0], *(ids[:1] for ids in whole.option_ids[1:]))
    [scored] = OptionScorer(backbone, batching="tree", batch_tokens=999).score(
        [Candidates(whole.item, whole.prompt_ids, options, ())]
    )
    assert scored.log_likelihoods[None] == pytest.approx(by_hand(backbone, scored.candidates, None), abs=1e-4)


def test_logits_in_slices_give_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = shaken(make_backbone())
    renderer = make_renderer(backbone)
    expected = score(backbone, renderer, "tree", every_context)
    monkeypatch.setattr(choices, "_LOGITS_AT_ONCE", 1000)  # three positions of 262 logits
    assert_equal(score(backbone, renderer, "tree", every_context), expected)


def test_progress_counts_every_item() -> None:
    backbone = make_backbone(method=method_config("baseline"))
    renderer = make_renderer(backbone, method_config("baseline"))
    counted: list[int] = []
    scorer = OptionScorer(backbone, batching="tree", batch_tokens=500)
    n = sum(1 for _ in scorer.score(candidates_of(renderer), on_progress=counted.append))
    assert sum(counted) == n == len(ITEMS)
    assert len(counted) > 1


def test_scoring_leaves_no_gradients() -> None:
    backbone = make_backbone()
    score(backbone, make_renderer(backbone))
    assert all(parameter.grad is None for parameter in backbone.trainable().values())
    assert torch.is_grad_enabled()
