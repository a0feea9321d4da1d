"""What Python programs may rely on: `from bsft import Benchmark, evaluate, load_run`. Nothing here writes a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.render import Renderer
from bsft.launch.evaluation import plan_evaluation
from bsft.model.backbone import backbone_of
from bsft.records.errors import BadInput
from bsft.records.names import slug
from bsft.records.store import Benchmark
from bsft.runs.directory import RunDirectory
from bsft.runs.job import Job
from bsft.scoring.result import Result
from bsft.scoring.run import measure

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_run(path: Path | str, *overrides: str) -> Job:
    """A finished run, ready to be evaluated: its model with the adapter, in eval mode on its device, and its data.

    Args:
        path: the run's directory, `multirun/SWEEP/JOB`.
        overrides: those of `bsft eval`, such as `method.behavior.mode=none`.

    Raises:
        BadInput, ConfigError: no such run, it is not done or lost its adapter, or an override is wrong.
    """
    config, directory = plan_evaluation(Path(path), overrides)
    job = Job.load(config, directory)
    if job.method.needs_fit:
        job.backbone.load_adapter(directory.adapter)
    job.backbone.module.to(job.device).eval()
    return job


def evaluate(
    model: Job | PreTrainedModel | PeftModel,
    benchmark: Benchmark | None = None,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    split: str | None = None,
    max_items: int | None = None,
) -> Result:
    """Scores a model on a split: what `metrics.json` holds, as `bsft eval` computes it.

    Args:
        model: what `load_run` gave, or a causal LM of transformers or PEFT, on any device, which stays as it is. One
            whose tokenizer has the behaviour tokens predicts them.
        benchmark: by default the run's own.
        tokenizer: of a model that is no run's, with a chat template.
        split: by default the one that the run was scored on, else `test`.
        max_items: whole cases up to so many items; by default as many as the run's own config says, else all.

    Raises:
        BadInput: no benchmark or tokenizer where one is needed, no such split, no items, or a model that cannot be read
            token by token.
    """
    if not isinstance(model, Job):
        if benchmark is None or tokenizer is None:
            raise BadInput("evaluate: a model that is no run's needs a benchmark and its tokenizer")
        job = _job_of(model, tokenizer, benchmark)
    else:
        job = model
    module = job.backbone.module
    was_training = module.training
    module.eval()
    try:
        return measure(_on(job, benchmark, split, max_items))[0]
    finally:
        module.train(was_training)


def _on(job: Job, benchmark: Benchmark | None, split: str | None, max_items: int | None) -> Job:
    """The same model with other data."""
    own = job.config.data
    data = own if benchmark is None else _data_of(benchmark, own.scene_tokens)
    data = replace(data, eval_split=split or data.eval_split, max_eval_items=max_items or data.max_eval_items)
    config = replace(job.config, data=data)
    module = BehaviorBenchDataModule(config, benchmark or job.benchmark, job.renderer, batching=job.data.batching)
    return replace(job, config=config, data=module)


def _data_of(benchmark: Benchmark, scene_tokens: int) -> cfg.DataConfig:
    return cfg.JsonlConfig(name=slug(benchmark.manifest.name), path=str(benchmark.path), scene_tokens=scene_tokens)


def _job_of(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, benchmark: Benchmark) -> Job:
    """A model that somebody else has loaded, as the job that it would be."""
    path = str(model.config.name_or_path or type(model).__name__)
    known_tokens = getattr(model.config.get_text_config(), "max_position_embeddings", 4096)
    known = cfg.ModelConfig(name=slug(path), source="local", path=path, max_length_tokens=known_tokens)
    backbone = backbone_of(model, tokenizer, known)
    method: cfg.MethodConfig = cfg.BaselineConfig(name="baseline")
    if backbone.vocabulary is not None:
        method = cfg.BehaviorSftConfig(name="behavior_sft")
    config = cfg.Config(
        method=method,
        model=known,
        data=_data_of(benchmark, cfg.DataConfig.scene_tokens),
        trainer=cfg.TrainerConfig(name="loaded"),
        logger=cfg.LoggerConfig(name="none"),
    )
    renderer = Renderer(
        tokenizer, method_of(method), vocabulary=backbone.vocabulary, max_length_tokens=known_tokens,
        scene_tokens=config.data.scene_tokens,
    )  # fmt: skip
    data = BehaviorBenchDataModule(config, benchmark, renderer, batching=backbone.road.batching)
    return Job(config, RunDirectory(Path(slug(path))), backbone, data)
