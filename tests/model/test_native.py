"""The compiled attention against one dense mask in float32, and what happens where it cannot be had."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dense import dense_mask
from torch import Tensor, nn

from bsft.data.prefix_tree import blocks_of, build_tree
from bsft.model import attention
from bsft.model.attention import TreeLayout
from bsft.model.fast.native import build
from bsft.model.fast.native.kernels import NativeTree, NativeTreeAttention, can_compute
from bsft.model.fast.tree_attention import tree_attention

CASE = list(range(90))


def random_sequences(n: int, longest: int) -> list[list[int]]:
    generator = np.random.default_rng(n)
    return [generator.integers(0, 3, generator.integers(1, longest)).tolist() for _ in range(n)]


LAYOUTS: dict[str, Callable[[], TreeLayout]] = {
    "one token": lambda: TreeLayout(build_tree([[5], [6]])),
    "case and items": lambda: TreeLayout(build_tree([[*CASE, *range(100 + 9 * i, 109 + 9 * i)] for i in range(30)])),
    "many levels": lambda: TreeLayout(build_tree(random_sequences(25, 70))),
    "cached ancestors": lambda: TreeLayout(
        build_tree(random_sequences(9, 150), [np.arange(30) if i % 2 else np.arange(0, 22, 2) for i in range(9)]),
        past_depths=np.arange(30),
    ),
}


@pytest.fixture(autouse=True)
def available() -> None:
    if (reason := build.obstacle()) is not None:
        pytest.skip(reason)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def states_of(layout: TreeLayout, n_heads: int, n_kv: int, head_dim: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    n, n_past = layout.tree.n_tokens, len(layout.past_depths)
    shapes = [(1, n, n_heads, head_dim), (1, n_past + n, n_kv, head_dim), (1, n_past + n, n_kv, head_dim)]
    return [torch.randn(shape, generator=generator).bfloat16().transpose(1, 2).requires_grad_() for shape in shapes]


def native(states: list[Tensor], layout: TreeLayout, window: int | None, weights: Tensor) -> list[Tensor]:
    query, key, value = states
    out, _ = tree_attention(nn.Module(), query, key, value, None, tree=layout, sliding_window=window)
    assert type(out.grad_fn).__name__ == "NativeTreeAttentionBackward"
    return [out.detach(), *torch.autograd.grad(out, states, weights)]


def dense(states: list[Tensor], layout: TreeLayout, window: int | None, weights: Tensor) -> list[Tensor]:
    exact = [state.detach().float().requires_grad_() for state in states]
    query, key, value = exact
    mask = dense_mask(layout, window)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True).transpose(1, 2)
    return [out.detach(), *torch.autograd.grad(out, exact, weights.float())]


def weights_like(states: list[Tensor]) -> Tensor:
    shape = states[0].transpose(1, 2).shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).bfloat16()


@pytest.mark.parametrize("max_block_tokens", [5, 128])
@pytest.mark.parametrize("window", [None, 1, 9])
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(("n_heads", "n_kv", "head_dim"), [(9, 3, 64), (5, 1, 16), (2, 2, 80), (4, 1, 256)])
def test_outputs_and_gradients_are_those_of_the_dense_mask(
    monkeypatch: pytest.MonkeyPatch,
    n_heads: int,
    n_kv: int,
    head_dim: int,
    name: str,
    window: int | None,
    max_block_tokens: int,
) -> None:
    monkeypatch.setattr(attention, "MAX_BLOCK_TOKENS", max_block_tokens)
    layout = LAYOUTS[name]()
    states = states_of(layout, n_heads, n_kv, head_dim)
    weights = weights_like(states)
    for found, expected in zip(
        native(states, layout, window, weights), dense(states, layout, window, weights), strict=True
    ):
        scale = max(float(expected.norm()), 1e-3 * expected.numel() ** 0.5)  # a token that sees itself only has none
        assert float((found.float() - expected).norm()) <= 4e-3 * scale


@pytest.mark.parametrize("n_threads", [1, 2, 3, 40])
def test_equal_threads_give_equal_gradients_and_other_numbers_of_threads_as_good_ones(
    threads: Callable[[int], None], n_threads: int
) -> None:
    layout = LAYOUTS["case and items"]()
    states = states_of(layout, 4, 2, 16)
    weights = weights_like(states)
    threads(n_threads)
    first, again = (native(states, layout, None, weights) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for found, expected in zip(first, dense(states, layout, None, weights), strict=True):
        assert float((found.float() - expected).norm()) <= 4e-3 * float(expected.norm())


def test_states_may_lie_head_by_head_and_gradients_may_be_expanded() -> None:
    layout = LAYOUTS["many levels"]()
    states = states_of(layout, 4, 2, 16)
    moved = [state.detach().contiguous().requires_grad_() for state in states]
    weights = weights_like(states)
    assert all(
        torch.equal(a, b)
        for a, b in zip(native(states, layout, 5, weights), native(moved, layout, 5, weights), strict=True)
    )
    ones = torch.ones(()).bfloat16().expand(weights.shape)
    for found, expected in zip(native(states, layout, 5, ones)[1:], dense(states, layout, 5, ones)[1:], strict=True):
        assert float((found.float() - expected).norm()) <= 5e-3 * max(float(expected.norm()), 1.0)


def test_numbers_that_are_none_are_not_hidden() -> None:
    layout = LAYOUTS["case and items"]()
    states = [state.detach() for state in states_of(layout, 4, 2, 16)]
    states[1][0, 0, 3] = torch.nan
    tree = NativeTree(layout.tree, layout.past_depths, blocks_of(layout.tree, 128), None)
    out = NativeTreeAttention.apply(*states, tree, 0.25)  # type: ignore[no-untyped-call]  # of torch
    sees = dense_mask(layout)[0, 0, :, 3]
    assert torch.equal(out[0, :, 0].isnan().all(-1), sees)  # the first key head serves heads 0 and 1
    assert not out[0, :, 2:].isnan().any()


def test_what_it_does_not_compute() -> None:
    layout = LAYOUTS["many levels"]()
    query, key, value = states_of(layout, 4, 2, 16)
    assert can_compute(query, key, value)
    assert not can_compute(*states_of(layout, 4, 2, 8))
    assert not can_compute(query.float(), key.float(), value.float())
    assert not can_compute(query, key, value.float())
    assert not can_compute(query, key, torch.cat([value, value], dim=3))
    assert not can_compute(query[:, :3], key, value)


def test_states_of_another_tree_are_refused() -> None:
    states = states_of(LAYOUTS["many levels"](), 4, 2, 16)
    layout = LAYOUTS["case and items"]()
    n, n_found = layout.tree.n_tokens, states[0].shape[2]
    message = f"a tree of {n} tokens with {n} keys, found states of {n_found} tokens with {n_found} keys"
    with pytest.raises(ValueError, match=message):
        native(states, layout, None, weights_like(states))


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'x.cpp:1: error: no such thing' >&2; exit 1", "compiler failed: x.cpp:1: error: no such thing"),
        ("exit 1", "compiler failed: nothing was said"),
        ("exit 0", "No such file"),
        ('for last; do :; done; echo nonsense > "$last"', "too short"),
    ],
)
def test_a_compiler_that_fails_is_reported_and_attention_goes_on(
    uncached: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, script: str, message: str
) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    compiler.chmod(0o755)
    uncached.setenv("CXX", str(compiler))
    with caplog.at_level(logging.WARNING):
        assert build.library.__wrapped__() is None
    assert "torch's operators alone, which is slower" in caplog.text and message in caplog.text


def test_one_that_is_not_there_and_the_switch(
    uncached: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uncached.setenv("CXX", str(tmp_path / "nowhere"))
    assert build.obstacle() == f"CXX={tmp_path}/nowhere is no program"
    uncached.delenv("CXX")
    with uncached.context() as patch:
        patch.setenv("PATH", "")
        assert build.obstacle() == "no C++ compiler was found (g++, clang++, c++)"
    uncached.setenv("BSFT_NATIVE", "off")
    with caplog.at_level(logging.INFO):
        assert build.library.__wrapped__() is None
    assert "BSFT_NATIVE switches it off" in caplog.text
    assert not list(tmp_path.glob("native/*"))


def test_it_is_compiled_once(uncached: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert all(build.library.__wrapped__() is not None for _ in range(2))
    (made,) = tmp_path.glob("native/*.so")
    assert caplog.text.count(f"compiled {made} in ") == 1
