"""The whole: one job, its logger, and the contradictions between groups."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, one_of, safe_name
from bsft.config.data import DataConfig
from bsft.config.method import MethodConfig, SftConfig
from bsft.config.model import ModelConfig
from bsft.config.ranges import seed
from bsft.config.trainer import TrainerConfig
from bsft.records.names import PROJECT_RULE, is_project
from bsft.records.paths import expand_home


@dataclass
class LoggerConfig(Section):
    """Where metrics go during a run: wandb, csv, or none.

    Without `mode`, `project` and `entity` those of the environment count (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY);
    without these, too, wandb is offline and the project is bsft.
    """

    name: str = MISSING
    project: str | None = None
    entity: str | None = None
    mode: str | None = None

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, ("wandb", "csv", "none"))
        one_of("logger.mode", self.mode or "offline", ("offline", "online", "disabled"))
        for key, found in (("project", self.project), ("entity", self.entity)):
            if found is not None and not is_project(found):
                raise ConfigError(f"logger.{key}: found {found!r}, allowed: {PROJECT_RULE}")


@dataclass
class Config(Section):
    """One job: one method, one model, one benchmark, one seed."""

    method: MethodConfig = MISSING
    model: ModelConfig = MISSING
    data: DataConfig = MISSING
    trainer: TrainerConfig = MISSING
    logger: LoggerConfig = MISSING
    seed: int = 0
    sweep: str = "runs"
    root: str = "multirun"
    redo: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        seed("seed", self.seed)
        safe_name("sweep", self.sweep)
        self.root = expand_home(self.root)
        if isinstance(self.method, SftConfig):
            self._check_tuning(self.method)

    def _check_tuning(self, method: SftConfig) -> None:
        if method.tuning == "qlora" and self.trainer.accelerator != "cuda":
            raise ConfigError(
                f"method.tuning=qlora needs CUDA; trainer.accelerator={self.trainer.accelerator}. "
                "Use trainer=gpu, or method.tuning=lora"
            )
        if method.tuning == "full" and self.trainer.fit.first_layer:
            raise ConfigError(
                f"trainer.fit.first_layer={self.trainer.fit.first_layer} says where adapters begin, and "
                "method.tuning=full has none; use method.tuning=lora"
            )
        if method.tuning == "full" and self.model.dtype != "float32":
            raise ConfigError(
                f"method.tuning=full with model.dtype={self.model.dtype}: small updates would round to zero; "
                "set model.dtype=float32 (and trainer.precision=bf16-mixed for speed)"
            )
        if self.trainer.strategy == "fsdp" and method.tuning == "qlora":
            raise ConfigError("trainer.strategy=fsdp cannot shard method.tuning=qlora; use trainer.strategy=ddp")
