"""The LightningModule: fine-tunes a backbone on labelled batches, with the loss of BehaviorSFT.

    L = -( w_b log p(b | x) + sum_t log p(y_t | x, b, y_<t) )        divided by the answer tokens of the whole step

Without behaviour tokens the first term is absent, and nothing else changes (GeneralSFT).
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from lightning import LightningModule
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.checkpoint import checkpoint

from bsft import config as cfg
from bsft.data.batches import Batch, Step
from bsft.data.render import Candidates
from bsft.model.backbone import Backbone
from bsft.model.label_loss import label_loss
from bsft.model.sharding import ShardedStrategy, by_sharding, clip_gradients, gathered, is_sharded, trained_state
from bsft.model.token_rows import TOKEN_ROWS
from bsft.records.errors import BadInput

_LOGITS_AT_ONCE = 1 << 25
Validate = Callable[[list[Candidates]], dict[str, float]]


class BehaviorLM(LightningModule):
    """Wraps a backbone for training, with whatever attention it reads. One Lightning batch is one optimisation step
    with all its micro-batches."""

    def __init__(
        self,
        backbone: Backbone,
        fit: cfg.FitConfig,
        *,
        n_steps: int,
        row_lr: float | None = None,
        validate: Validate | None = None,
    ) -> None:
        """
        Args:
            n_steps: optimisation steps of the whole training, for the learning-rate schedule.
            row_lr: learning rate of the behaviour tokens' rows; None: that of everything else.
            validate: scores validation candidates and returns metrics to log.
        """
        super().__init__()
        self.automatic_optimization = False
        self.strict_loading = False
        self.backbone = backbone
        self.network = backbone.module
        self._fit = fit
        self._n_steps = n_steps
        self._row_lr = row_lr
        self._validate = validate
        self.trained_state: dict[str, Tensor] | None = None
        """After sharded training, what was trained: by then the layers themselves hold only shards."""

    def loss_sum(self, batch: Batch) -> Tensor:
        """A micro-batch's weighted sum of label losses, a scalar; only labelled positions reach the output layer."""
        states = self.backbone.label_states(batch)
        rows = max(1, _LOGITS_AT_ONCE // self.backbone.vocabulary_size)
        chunks = [slice(start, start + rows) for start in range(0, len(batch.positions), rows)]
        # more chunks than one: the logits of all would be kept for the backward pass, so each is computed again
        again = partial(checkpoint, self._label_loss, use_reentrant=False)
        loss = self._label_loss if len(chunks) == 1 else again
        return torch.stack([loss(states[own], batch.targets[own], batch.weights[own]) for own in chunks]).sum()

    def _label_loss(self, states: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return label_loss(self.backbone.logits(states), targets, weights)

    def training_step(self, step: Step, index: int) -> None:
        optimizer = cast(AdamW, self.optimizers())
        optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        ddp = self.trainer.strategy if isinstance(self.trainer.strategy, DDPStrategy) else None
        # a step has several backward passes; with DDP the gradients are summed once, after the last
        with contextlib.nullcontext() if ddp is None else ddp.block_backward_sync():
            for batch, weight in self._as_many_on_all_ranks(step.batches):
                loss = self.loss_sum(batch.to(self.device)) * (weight / step.n_answer_tokens)
                self.manual_backward(loss)
                total += loss.detach()
        if ddp is not None:
            total = self._sum_over_ranks(total)
        if not torch.isfinite(total):
            raise BadInput(
                f"the loss is {total.item()} at step {self.global_step + 1}; lower trainer.fit.optim.lr "
                f"(now {self._fit.optim.lr})"
            )
        if self._fit.optim.max_grad_norm > 0:
            clip_gradients(self.backbone.trainable().values(), self._fit.optim.max_grad_norm)
        optimizer.step()
        scheduler = cast(LambdaLR, self.lr_schedulers())
        scheduler.step()
        self.log("train/loss", total, prog_bar=True)
        self.log("train/lr", scheduler.get_last_lr()[0])

    def _as_many_on_all_ranks(self, batches: Sequence[Batch]) -> list[tuple[Batch, float]]:
        """Batches with their weights. Processes that share layers have to read equally often, so that some read their
        last batch again, with weight 0."""
        weighted = [(batch, 1.0) for batch in batches]
        if isinstance(self.trainer.strategy, ShardedStrategy):
            most = torch.tensor(len(batches), device=self.device)
            torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
            weighted += [(batches[-1], 0.0)] * (int(most) - len(batches))
        return weighted

    def _sum_over_ranks(self, loss: Tensor) -> Tensor:
        for parameter in self.backbone.trainable().values():
            if isinstance(parameter, DTensor):
                continue  # summed in the backward pass
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)
        torch.distributed.all_reduce(loss)
        return loss

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Micro-batches go to the device one by one, in `training_step`."""
        return batch

    def validation_step(self, candidates: list[Candidates], index: int) -> None:
        if self._validate is not None:
            metrics = self._validate(candidates)
            self.log_dict({f"val/{name}": value for name, value in metrics.items()}, batch_size=len(candidates))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        o = self._fit.optim
        named = self.backbone.trainable().items()
        rows = [p for name, p in named if TOKEN_ROWS in name]
        others = [p for name, p in named if TOKEN_ROWS not in name]
        groups: list[dict[str, Any]] = [{"params": own} for own in by_sharding(others)]
        if rows:
            groups.append({"params": rows, "lr": o.lr if self._row_lr is None else self._row_lr})
        options: dict[str, Any] = {"eps": o.eps, "weight_decay": o.weight_decay, "fused": o.fused or None}
        optimizer = AdamW(groups, lr=o.lr, betas=(o.beta1, o.beta2), **options)
        return {"optimizer": optimizer, "lr_scheduler": LambdaLR(optimizer, self._lr_factor)}

    def _lr_factor(self, step: int) -> float:
        o = self._fit.optim
        warmup = round(o.warmup_fraction * self._n_steps)
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, self._n_steps - warmup))
        return o.final_lr_fraction + (1 - o.final_lr_fraction) * 0.5 * (1 + math.cos(math.pi * progress))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Trainables only: the frozen base is not part of a checkpoint."""
        return {f"network.{name}": gathered(p.detach()) for name, p in self.backbone.trainable().items()}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        expected = {f"network.{name}" for name in self.backbone.trainable()}
        if missing := sorted(expected - set(state_dict)):
            raise BadInput(f"the checkpoint lacks {len(missing)} trainable parameters, first {missing[0]}")
        return super().load_state_dict(state_dict, strict=False, assign=assign)

    def on_train_start(self) -> None:
        # from_pretrained leaves modules in eval mode, which switches LoRA dropout and checkpointing off
        self.network.train()

    def on_fit_end(self) -> None:
        if is_sharded(self.network):
            self.trained_state = trained_state(self.network)
