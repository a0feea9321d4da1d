"""Tree attention of one layer against one dense mask, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dense import dense_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from making import relative_error
from torch import Tensor, nn

from bsft.data.prefix_tree import build_tree
from bsft.model import attention
from bsft.model.attention import TreeLayout
from bsft.model.fast.flex import block_mask_of, bucket_tokens, flex_tree_attention
from bsft.model.fast.tree_attention import tree_attention

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 8
CPU = torch.device("cpu")


class Windowed(nn.Module):
    """A layer with a window of its own."""

    def __init__(self, window: int | None) -> None:
        super().__init__()
        self.sliding_window = window


States = tuple[Tensor, Tensor, Tensor]
"""Query, key and value of a layer."""
Compute = Callable[..., tuple[Tensor, None]]


def random_states(layout: TreeLayout, dtype: torch.dtype = torch.float32) -> States:
    """Query, key and value of a layer, past keys first."""
    generator = torch.Generator().manual_seed(0)
    n = layout.tree.n_tokens
    n_keys = n + len(layout.past_depths)

    def state(n_heads: int, n_tokens: int) -> Tensor:
        drawn = torch.randn((1, n_heads, n_tokens, HEAD_DIM), generator=generator)
        return drawn.to(dtype).requires_grad_()

    return state(HEADS, n), state(KV_HEADS, n_keys), state(KV_HEADS, n_keys)


def detached(states: States) -> States:
    query, key, value = (state.detach() for state in states)
    return query, key, value


def attend(
    states: States,
    layout: TreeLayout | None,
    *,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    layer: nn.Module | None = None,
    compute: Compute = tree_attention,
    **others: Any,
) -> Tensor:
    """Output `(1, N, H, D)` of tree attention in a layer that has no window of its own."""
    query, key, value = states
    return compute(layer or nn.Module(), query, key, value, mask, dropout=dropout, tree=layout, **others)[0]


def blockwise(states: States, layout: TreeLayout, window: int | None, compute: Compute = tree_attention) -> Tensor:
    return attend(states, layout, layer=Windowed(window), compute=compute)


def dense(states: States, layout: TreeLayout, window: int | None) -> Tensor:
    query, key, value = states
    mask = dense_mask(layout, window).to(query.device)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True).transpose(1, 2)


def flex(states: States, layout: TreeLayout, window: int | None) -> Tensor:
    query, key, value = states
    mask = block_mask_of(layout.tree, layout.past_depths, CPU, window)
    return flex_tree_attention(query, key, value, mask, HEAD_DIM**-0.5)


SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=8)


@pytest.mark.parametrize("compute", [tree_attention, attention.tree_attention], ids=["kernels", "written out"])
@settings(max_examples=40)
@given(sequences=SEQUENCES, window=st.sampled_from([None, 1, 3]), max_block_tokens=st.sampled_from([1, 4, 256]))
def test_blocks_equal_the_dense_mask_forward_and_backward(
    compute: Compute, sequences: list[list[int]], window: int | None, max_block_tokens: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "MAX_BLOCK_TOKENS", max_block_tokens)
        layout = TreeLayout(build_tree(sequences))
        states = random_states(layout)
        found, expected = blockwise(states, layout, window, compute), dense(states, layout, window)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    for a, b in zip(
        torch.autograd.grad((found * weights).sum(), states),
        torch.autograd.grad((expected * weights).sum(), states),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(SEQUENCES, st.data(), st.sampled_from([None, 3]))
def test_cached_ancestors_are_seen_by_their_own_branches_only(
    sequences: list[list[int]], data: st.DataObject, window: int | None
) -> None:
    """Ancestors are paths of an earlier tree; here two that share their first two tokens."""
    cached = [np.array([0, 1, 2, 3]), np.array([0, 1, 4])]
    roots = [cached[data.draw(st.integers(0, 1))] for _ in sequences]
    layout = TreeLayout(build_tree(sequences, roots), past_depths=np.array([0, 1, 2, 3, 2]))
    states = detached(random_states(layout))
    found = blockwise(states, layout, window)
    torch.testing.assert_close(found, dense(states, layout, window), rtol=1e-4, atol=1e-5)
    seen = dense_mask(layout)[0, 0]
    for path, root in zip(layout.tree.paths, roots, strict=True):
        assert torch.equal(seen[path[-1], :5].nonzero().flatten(), torch.from_numpy(root))


@pytest.mark.parametrize("max_block_tokens", [5, 128])
def test_bf16_is_as_near_as_bf16_can_be(monkeypatch: pytest.MonkeyPatch, max_block_tokens: int) -> None:
    monkeypatch.setattr(attention, "MAX_BLOCK_TOKENS", max_block_tokens)
    layout = TreeLayout(build_tree([[1, 2, 3] * 8, [1, 2, 4] * 8, [1, 2, 3, 5]]))
    exact, rounded = random_states(layout), random_states(layout, torch.bfloat16)
    found, expected = blockwise(rounded, layout, 5), dense(exact, layout, 5)
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)
    for a, b in zip(
        torch.autograd.grad(found.float().square().sum(), rounded),
        torch.autograd.grad(expected.square().sum(), exact),
        strict=True,
    ):
        assert relative_error(a.float(), b) < 0.03


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@settings(max_examples=30, deadline=None)
@given(sequences=SEQUENCES, window=st.sampled_from([None, 2, 5]))
def test_flex_attention_equals_the_dense_mask(sequences: list[list[int]], window: int | None) -> None:
    layout = TreeLayout(build_tree(sequences))
    states = detached(random_states(layout))
    torch.testing.assert_close(flex(states, layout, window), dense(states, layout, window), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("window", [None, 3])
def test_flex_attention_sees_cached_ancestors_across_buckets(window: int | None) -> None:
    n_past = bucket_tokens(1) + 5
    tree = build_tree([[1] * 140, [1, 2], [3]], [np.arange(100), np.arange(100), np.arange(3, n_past)])
    layout = TreeLayout(tree, np.arange(n_past))
    states = detached(random_states(layout))
    torch.testing.assert_close(flex(states, layout, window), dense(states, layout, window), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("window", [None, 3])
def test_on_cuda_forward_and_backward_equal_the_dense_mask(window: int | None) -> None:
    cuda = torch.device("cuda")
    layout = TreeLayout(build_tree([[1] * 140, [1, 2, 3], [1, 2, 4], [5]]))
    query, key, value = (state.detach().to(cuda).requires_grad_() for state in random_states(layout))
    states = query, key, value
    expected, found = dense(states, layout, window), blockwise(states, layout, window)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    weights = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(found, states, weights), torch.autograd.grad(expected, states, weights), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(("n", "bucket"), [(1, 128), (129, 256), (257, 384), (385, 512), (513, 768), (1025, 1536)])
def test_buckets(n: int, bucket: int) -> None:
    assert bucket_tokens(n) == bucket


def test_dropout_is_written_out() -> None:
    layout = TreeLayout(build_tree([[1, 2, 3], [1, 2, 4]]))
    states = random_states(layout)
    torch.manual_seed(0)
    assert attend(states, layout, dropout=0.5).shape == (1, 4, HEADS, HEAD_DIM)
    mean = torch.stack([attend(states, layout, dropout=0.1) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, blockwise(states, layout, None), rtol=0, atol=0.05)


def test_a_tree_is_alone_in_its_batch() -> None:
    layout = TreeLayout(build_tree([[1]]))
    query = torch.zeros(2, HEADS, 1, HEAD_DIM)
    with pytest.raises(ValueError, match="a tree batch has batch size 1, found 2"):
        attend((query, query, query), layout)


def test_an_argument_that_is_not_known_is_an_error() -> None:
    layout = TreeLayout(build_tree([[1, 2]]))
    states = random_states(layout)
    plain = attend(states, layout, use_cache=False, position_ids=1)
    assert plain.shape == (1, 2, HEADS, HEAD_DIM)
    not_known: dict[str, Any] = {"position_bias": torch.zeros(1), "output_attentions": True, "is_causal": False}
    for name, value in not_known.items():
        with pytest.raises(ValueError, match="tree attention does not know this model's"):
            attend(states, layout, **{name: value})
    with pytest.raises(ValueError, match="'attention_mask'"):
        attend(states, layout, mask=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="does not hand the tree on"):
        attend(states, None)


def test_a_layer_may_have_a_window_and_not_use_it() -> None:
    layout = TreeLayout(build_tree([[1, 2, 3, 4]]))
    states = random_states(layout)
    found = attend(states, layout, layer=Windowed(1), sliding_window=None)
    torch.testing.assert_close(found, dense(states, layout, None))
    assert not torch.allclose(found, blockwise(states, layout, 1))


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("softcap", [None, 0.5])
@pytest.mark.parametrize("with_sinks", [False, True])
def test_soft_caps_sinks_and_long_values_are_computed(
    window: int | None, softcap: float | None, with_sinks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the formula on one dense mask; one sink more is one key more, whose value is zero."""
    monkeypatch.setattr(attention, "MAX_BLOCK_TOKENS", 4)
    layout = TreeLayout(build_tree([[1, 2, 3, 4, 5], [1, 2, 6, 7, 8, 9], [5, 5, 5]]))
    query, key, value = random_states(layout)
    value = torch.cat([value, 2 * value], dim=-1)
    sinks = torch.randn(HEADS, generator=torch.Generator().manual_seed(2)) if with_sinks else None
    found = attend((query, key, value), layout, softcap=softcap, s_aux=sinks, sliding_window=window)
    scores = query @ key.repeat_interleave(2, 1).transpose(2, 3) * HEAD_DIM**-0.5
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    weights = scores.exp() * dense_mask(layout, window)
    total = weights.sum(-1, keepdim=True) + (0 if sinks is None else sinks.exp()[:, None, None])
    expected = (weights / total) @ value.repeat_interleave(2, 1)
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-4, atol=1e-5)
