"""A job with all that it works with, made once from its config and handed from step to step."""

from dataclasses import dataclass, replace
from typing import Self

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import Method, method_of
from bsft.data.render import Renderer
from bsft.data.selection import exemplars_of
from bsft.data.source import obtain
from bsft.model.backbone import Backbone, load_backbone
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
            exemplars=exemplars_of(benchmark, config, method),
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

    def with_fresh_backbone(self) -> Self:
        """The same job with its model loaded again, without what was trained."""
        return replace(self, backbone=_backbone_of(self.config, self.method))


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
