"""Sharded fitting (`trainer.strategy=fsdp`): every decoder layer's weights are spread over the processes and gathered
only while the layer computes (FSDP2, `fully_shard`).

Embeddings, final norm and output layer stay whole on every process. Once fitting has ended, the first process loads the
whole model again and scores alone: sharding saves memory of fitting, not of scoring.
"""

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from transformers import PreTrainedModel

from bsft.model.parts import decoder_layers
from bsft.records.errors import BadInput


class ShardedStrategy(DDPStrategy):
    """DDP's processes without its wrapper: the module's decoder layers are sharded instead.

    Checkpoints hold whole tensors, as without sharding.
    """

    def model_to_device(self) -> None:
        # before the rest is moved: a device never holds more than one whole layer
        shard_layers(cast(Any, self.lightning_module).backbone.causal, self.root_device.type, self.world_size)
        super().model_to_device()

    def configure_ddp(self) -> None:
        """No wrapper."""

    @contextlib.contextmanager
    def block_backward_sync(self) -> Generator[None, None, None]:
        """Sharded gradients are summed in every backward pass."""
        yield

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Tensor]:
        state = super().optimizer_state(optimizer)
        slots: dict[Any, dict[str, Tensor]] = cast(Any, state)["state"]
        whole = {number: {key: gathered(value) for key, value in slot.items()} for number, slot in slots.items()}
        return {**state, "state": cast(Any, whole)}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        states = []
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            slots = {
                number: {key: _spread_like(value, parameters[number]) for key, value in slot.items()}
                for number, slot in state["state"].items()
            }
            states.append({**state, "state": slots})
        super().load_optimizer_state_dict({**checkpoint, "optimizer_states": states})


def shard_layers(causal: PreTrainedModel, device_type: str, world_size: int) -> None:
    """Shards every decoder layer; gradients are summed over the processes.

    Raises:
        BadInput: the architecture keeps its layers under another name.
    """
    layers = decoder_layers(causal)
    if not layers:
        raise BadInput(f"trainer.strategy=fsdp: {type(causal).__name__} has no known layers; use trainer.strategy=ddp")
    mesh = init_device_mesh(device_type, (world_size,))
    for layer in layers:
        sharded = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other reduction


def gathered(value: Any) -> Any:
    """A sharded tensor as a whole one on CPU; anything else as it is. All processes have to call it."""
    if not isinstance(value, DTensor):
        return value
    # Lightning moves shards to the CPU when fitting has ended, and NCCL gathers nothing there
    there: Any = value.to(value.device_mesh.device_type)
    return there.full_tensor().cpu()


def is_sharded(module: nn.Module) -> bool:
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """The trained part of a sharded module's state in whole tensors on CPU. All processes have to call it."""
    state = module.state_dict(keep_vars=True)
    return {name: gathered(value).detach().cpu() for name, value in state.items() if value.requires_grad}


def _spread_like(value: Any, parameter: Tensor) -> Any:
    if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)


def by_sharding(parameters: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Whole parameters, and sharded ones; no empty list. One operation cannot take both."""
    groups: dict[bool, list[nn.Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(isinstance(parameter, DTensor), []).append(parameter)
    return list(groups.values())


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scales gradients, so that their norm over all parameters, whole and sharded, is at most `max_norm`.

    Lightning's own clipping knows no FSDP2, and under bf16-mixed it refuses a fused optimiser.
    """
    groups = by_sharding(p for p in parameters if p.grad is not None)
    norms: list[Any] = [get_total_norm([cast(Tensor, p.grad) for p in group]) for group in groups]
    norms = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    total = torch.stack(norms).norm() if norms else torch.zeros(())
    for group in groups:
        clip_grads_with_norm_(group, max_norm, total)
