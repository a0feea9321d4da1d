"""The whole: one job, its logger, and the contradictions between groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import MAX_SEED, ConfigError, Section, choice, number, safe_name, user_path
from bsft.config.data import DataConfig
from bsft.config.method import MethodConfig, SftConfig
from bsft.config.model import ModelConfig
from bsft.config.trainer import TrainerConfig
from bsft.records.names import PROJECT_RULE, is_project


def _project(key: str, found: str) -> str:
    if not is_project(found):
        raise ConfigError(f"{key}: found {found!r}, allowed: {PROJECT_RULE}")
    return found


@dataclass
class LoggerConfig(Section):
    """Where metrics go during a run: wandb, csv, or none.

    Without `mode`, `project` and `entity` those of the environment count (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY);
    without these, too, wandb is offline and the project is bsft.
    """

    prefix = "logger."

    name: str = choice(MISSING, "wandb", "csv", "none")
    project: str | None = field(default=None, metadata={"check": _project})
    entity: str | None = field(default=None, metadata={"check": _project})
    mode: str | None = choice(None, "offline", "online", "disabled")


@dataclass
class Config(Section):
    """One job: one method, one model, one benchmark, one seed."""

    method: MethodConfig = MISSING
    model: ModelConfig = MISSING
    data: DataConfig = MISSING
    trainer: TrainerConfig = MISSING
    logger: LoggerConfig = MISSING
    seed: int = number(0, 0, MAX_SEED)
    sweep: str = safe_name("runs")
    root: str = user_path("multirun")
    redo: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
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
