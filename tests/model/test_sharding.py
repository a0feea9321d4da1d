"""Clipping over whole and sharded parameters. Sharded training itself is in tests/test_ranks.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch._C._distributed_c10d import HashStore
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from transformers import GPT2Config, GPT2LMHeadModel

from bsft.model.sharding import by_sharding, clip_gradients, gathered, shard_layers
from bsft.records.errors import BadInput


@pytest.fixture
def one_process() -> Iterator[None]:
    torch.distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_the_norm_is_that_of_whole_and_sharded_gradients_together() -> None:
    mesh = init_device_mesh("cpu", (1,))
    whole, untouched = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))
    shard = nn.Parameter(distribute_tensor(torch.zeros(4, 2), mesh, [Shard(0)]))
    whole.grad = torch.full((2,), 3.0)
    shard.grad = distribute_tensor(torch.full((4, 2), -1.0), mesh, [Shard(0)])
    clip_gradients([whole, shard, untouched], max_norm=1.0)
    norm = (2 * 9 + 8 * 1) ** 0.5
    torch.testing.assert_close(whole.grad, torch.full((2,), 3.0 / norm))
    assert isinstance(shard.grad, DTensor)
    torch.testing.assert_close(gathered(shard.grad), torch.full((4, 2), -1.0 / norm))
    assert [len(group) for group in by_sharding([whole, shard, untouched])] == [2, 1]


def test_small_gradients_and_none_are_left_alone() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    clip_gradients([parameter], max_norm=1.0)
    assert parameter.grad is None
    parameter.grad = torch.full((2,), 0.1)
    clip_gradients([parameter], max_norm=1.0)
    torch.testing.assert_close(parameter.grad, torch.full((2,), 0.1))


def test_an_architecture_without_known_layers_is_refused() -> None:
    small = GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=50, n_positions=16)
    model = GPT2LMHeadModel(small)
    model.config.n_layer = 2  # which are not in one list
    with pytest.raises(BadInput, match=r"trainer.strategy=fsdp: GPT2LMHeadModel has no known layers; use"):
        shard_layers(model, "cpu", 1)
