"""Our side: the project's own fitting and scoring, stopped at the gate between steps."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from transformers.utils.logging import disable_progress_bar

from benchmarks._sides import Gate
from benchmarks._start import set_adapters
from bsft import config as cfg
from bsft.data.batches import Step
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.render import Candidates, Example, Renderer
from bsft.data.source import obtain
from bsft.model.backbone import Backbone, load_backbone
from bsft.runs.directory import RunDirectory
from bsft.runs.job import Job
from bsft.scoring.choices import OptionScorer
from bsft.training.fitting import fit
from bsft.training.loggers import RunLogger

_MANY_STEPS = 1000


@dataclass(frozen=True)
class FitTask:
    """Steps of `bsft-train` on the same examples again and again; the first step's gradients go to a file if asked."""

    config: cfg.Config
    examples: list[Example]
    gradients: Path | None = None


@dataclass(frozen=True)
class ScoreTask:
    """Passes over the same candidates; `prefix` is what all prompts share and is read once a pass."""

    config: cfg.Config
    candidates: list[Candidates]
    prefix: tuple[int, ...]


class _GatedLoader:
    """The project's loader; asking for a step means that the last one is done."""

    def __init__(self, loader: Any, at_gate: Callable[[], None]) -> None:
        self._loader, self._at_gate = loader, at_gate

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Step]:
        steps = iter(self._loader)
        while True:
            self._at_gate()
            yield next(steps)


class _GatedData(BehaviorBenchDataModule):
    """The project's data module with given examples, stopped between steps."""

    def __init__(self, gate: Gate, task: FitTask, backbone: Backbone) -> None:
        renderer = Renderer(backbone.tokenizer, method_of(task.config.method), vocabulary=None)
        super().__init__(task.config, obtain(task.config.data), renderer, batching=task.config.trainer.batching)
        self._gate, self._task, self._backbone = gate, task, backbone
        self.n_workers = 0  # the gate is asked in this process

    def setup(self, stage: str) -> None:
        self.plan = [list(range(len(self._task.examples)))] * _MANY_STEPS

    def example(self, index: int) -> Example:
        return self._task.examples[index]

    def train_dataloader(self) -> Any:
        return _GatedLoader(super().train_dataloader(), self._at_gate)

    def _at_gate(self) -> None:
        assert self.trainer is not None
        if self.trainer.global_step == 1 and self._task.gradients is not None:
            gradients = {n: cast(torch.Tensor, p.grad).float() for n, p in self._backbone.trainable().items()}
            save_file(gradients, self._task.gradients)
        loss = self.trainer.callback_metrics.get("train/loss")
        self._gate.pause([] if loss is None else [float(loss)])


def run_fit(gate: Gate, task: FitTask) -> None:
    """Runs `bsft.training.fitting.fit`, from adapters that both sides share."""
    config = task.config
    _hush()
    backbone = load_backbone(config.model, method_of(config.method), precision=config.trainer.precision)
    set_adapters(backbone.trainable())
    with tempfile.TemporaryDirectory() as root:
        job = Job(config, RunDirectory(Path(root)), backbone, _GatedData(gate, task, backbone))
        fit(job, RunLogger(None))


def _hush() -> None:
    """As in a job: Lightning and warnings go to the log, not to the terminal."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    disable_progress_bar()  # type: ignore[no-untyped-call]


def run_score(gate: Gate, task: ScoreTask) -> None:
    """Runs the option scorer; each pass starts with nothing cached."""
    config = task.config
    _hush()
    backbone = load_backbone(config.model, method_of(config.method), precision=config.trainer.precision)
    backbone.module.to(config.trainer.accelerator).eval()
    values: list[float] = []
    while True:
        gate.pause(values)
        scorer = OptionScorer(
            backbone,
            batching=config.trainer.batching,
            batch_tokens=config.trainer.score.batch_tokens,
            shared_prefix=task.prefix,
        )
        values = [v for scored in scorer.score(task.candidates) for v in scored.log_likelihoods[None]]
