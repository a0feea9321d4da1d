"""The whole: one job, its logger, and the contradictions between groups."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, one_of
from bsft.config.data import DataConfig
from bsft.config.method import MethodConfig, SftConfig
from bsft.config.model import ModelConfig
from bsft.config.ranges import seed
from bsft.config.trainer import TrainerConfig


@dataclass
class LoggerConfig(Section):
    """Where metrics go during a run: wandb (offline by default), csv, or none."""

    name: str = MISSING
    project: str = "bsft"
    entity: str | None = None
    mode: str = "offline"

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, ("wandb", "csv", "none"))
        one_of("logger.mode", self.mode, ("offline", "online"))


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
        if not self.sweep or "/" in self.sweep or self.sweep.startswith("."):
            raise ConfigError(f"sweep={self.sweep!r}: must be a plain directory name")
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
