"""TRL's side: `SFTTrainer` with LoRA and completion-only loss, stopped at the gate between optimisation steps."""

from __future__ import annotations

import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import AutoTokenizer, TrainerCallback
from transformers.utils.logging import disable_progress_bar, set_verbosity_error
from trl import SFTConfig, SFTTrainer

from benchmarks._sides import Gate
from benchmarks._start import set_adapters
from benchmarks._trl_settings import TrlSettings
from bsft import config as cfg
from bsft.data.render import Example

_MANY_EPOCHS = 1000


@dataclass(frozen=True)
class TrlTask:
    """Steps of `SFTTrainer` on the same examples again and again; the first step's gradients go to a file if asked.

    `settings` None means TRL's defaults, on which only the sequence limit is lifted.
    """

    weights: str
    device: str
    lora: cfg.LoraConfig
    examples: list[Example]
    settings: TrlSettings | None
    max_grad_norm: float = 1.0
    gradients: Path | None = None


class _Trainer(SFTTrainer):  # type: ignore[misc]  # Any where TRL is not installed
    """Remembers the losses of a step's micro-batches, which TRL only logs as means over many steps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.losses: list[torch.Tensor] = []
        super().__init__(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self.losses.append(loss)
        return loss


class _GateCallback(TrainerCallback):
    def __init__(self, gate: Gate, task: TrlTask) -> None:
        self._gate, self._task = gate, task
        self.losses: list[torch.Tensor] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._gate.pause()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 0 and self._task.gradients is not None:
            gradients = {n: p.grad.float() for n, p in kwargs["model"].named_parameters() if p.grad is not None}
            save_file(gradients, self._task.gradients)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        loss = sum(float(loss) for loss in self.losses)
        self.losses.clear()
        self._gate.pause([loss])


def run_trl(gate: Gate, task: TrlTask) -> None:
    """Runs `SFTTrainer.train`, from adapters that both sides share."""
    set_verbosity_error()  # type: ignore[no-untyped-call]
    disable_progress_bar()  # type: ignore[no-untyped-call]
    disable_progress_bars()
    callback = _GateCallback(gate, task)
    with tempfile.TemporaryDirectory() as directory:
        trainer = _Trainer(
            task.weights,
            args=_arguments(task, directory),
            train_dataset=_dataset(task.examples),
            processing_class=AutoTokenizer.from_pretrained(task.weights),
            peft_config=LoraConfig(
                task_type="CAUSAL_LM",
                r=task.lora.rank,
                lora_alpha=task.lora.alpha,  # type: ignore[arg-type]  # PEFT only divides it by the rank
                lora_dropout=task.lora.dropout,
                target_modules="all-linear" if list(task.lora.targets) == ["all-linear"] else list(task.lora.targets),
            ),
            callbacks=[callback],
        )
        set_adapters({n: p for n, p in trainer.model.named_parameters() if p.requires_grad})
        callback.losses = trainer.losses
        trainer.train()


def _dataset(examples: list[Example]) -> Dataset:
    return Dataset.from_list(
        [
            {
                "input_ids": list(example.ids),
                "completion_mask": [0] * len(example.prompt_ids) + [1] * len(example.answer_ids),
            }
            for example in examples
        ]
    )


def _arguments(task: TrlTask, directory: str) -> SFTConfig:
    """An epoch is one optimisation step over all examples, unless TRL's defaults say otherwise."""
    common: dict[str, Any] = {
        "output_dir": directory,
        "use_cpu": task.device == "cpu",
        "report_to": "none",
        "disable_tqdm": True,
        "completion_only_loss": True,
        "max_length": None,
        "num_train_epochs": _MANY_EPOCHS,
        "max_grad_norm": task.max_grad_norm,
    }
    if task.settings is None:
        return SFTConfig(**common)
    settings = asdict(task.settings)
    weights_dtype, packed_examples = settings.pop("weights_dtype"), settings.pop("packed_examples")
    n_rows = len(task.examples)
    if packed_examples > 1:
        n_rows = math.ceil(n_rows / packed_examples)
        common["max_length"] = packed_examples * max(len(example.ids) for example in task.examples)
    return SFTConfig(
        **common,
        **settings,
        packing=packed_examples > 1,
        gradient_accumulation_steps=math.ceil(n_rows / task.settings.per_device_train_batch_size),
        model_init_kwargs={"dtype": weights_dtype, "attn_implementation": "sdpa"},
        logging_strategy="no",
        save_strategy="no",
    )
