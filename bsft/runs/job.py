"""A job with all that it works with, made once from its config and handed from step to step."""

from dataclasses import dataclass, replace
from typing import Self

import torch

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import Method, method_of
from bsft.data.render import Renderer
from bsft.data.selection import exemplars_of
from bsft.data.source import obtain
from bsft.model.backbone import Backbone, load_backbone
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import Benchmark
from bsft.runs.directory import RunDirectory


@dataclass(frozen=True)
class Job:
    """What a config means: where its results go, its model, and its data in the words of that model."""

    config: cfg.Config
    directory: RunDirectory
    backbone: Backbone
    data: BehaviorBenchDataModule

    @classmethod
    def load(cls, config: cfg.Config, directory: RunDirectory) -> Self:
        """Obtains the benchmark and loads the model.

        Raises:
            BadInput: one of them cannot be had, or they do not go together.
        """
        benchmark = obtain(config.data)
        method = method_of(config.method)
        backbone = _backbone_of(config, method)
        renderer = Renderer(
            backbone.tokenizer,
            method,
            vocabulary=backbone.vocabulary,
            exemplars=_exemplars(config, directory, benchmark, method),
            scene_tokens=config.data.scene_tokens,
            max_length_tokens=config.model.max_length_tokens,
            date=config.model.date,
        )
        data = BehaviorBenchDataModule(config, benchmark, renderer, batching=backbone.road.batching)
        return cls(config, directory, backbone, data)

    @property
    def name(self) -> str:
        return self.directory.path.name

    @property
    def method(self) -> Method:
        return self.renderer.method

    @property
    def benchmark(self) -> Benchmark:
        return self.data.benchmark

    @property
    def renderer(self) -> Renderer:
        return self.data.renderer

    @property
    def device(self) -> torch.device:
        """Where it is scored.

        Raises:
            BadInput: `trainer.accelerator=cuda`, and there is no such device.
        """
        name = self.config.trainer.accelerator
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cuda" and not torch.cuda.is_available():
            raise BadInput("trainer.accelerator=cuda: no CUDA device is visible; use trainer=cpu")
        return torch.device(name)

    def with_fresh_backbone(self) -> Self:
        """The same job with its model loaded again, without what was trained."""
        return replace(self, backbone=_backbone_of(self.config, self.method))


def _exemplars(config: cfg.Config, directory: RunDirectory, benchmark: Benchmark, method: Method) -> list[Item]:
    """What a run shows as exemplars, it shows in every evaluation."""
    if not method.n_exemplars or directory.owner is None:
        return exemplars_of(benchmark, config, method)
    own = cfg.validate(RunDirectory(directory.owner).frozen_config())
    return exemplars_of(obtain(own.data), own, method)


def _backbone_of(config: cfg.Config, method: Method) -> Backbone:
    trainer = config.trainer
    return load_backbone(
        config.model,
        method,
        precision=trainer.precision,
        first_layer=trainer.fit.first_layer,
        seed=config.seed,
        batching=trainer.batching,
    )
