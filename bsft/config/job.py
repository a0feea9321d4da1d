"""The whole: one job, its logger, the contradictions between groups, and the sections as Hydra schemas."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from bsft.config.base import MAX_SEED, ConfigError, Section, choice, number, safe_name, user_path
from bsft.config.data import DataConfig, JsonlConfig, MedErrBenchConfig, OpenBenchConfig
from bsft.config.method import (
    BaselineConfig,
    BehaviorSftConfig,
    ClassifierConfig,
    FewShotConfig,
    InstructedConfig,
    MethodConfig,
    SftConfig,
)
from bsft.config.model import ModelConfig
from bsft.config.trainer import TrainerConfig
from bsft.records.paths import expand_home


def _project(key: str, found: str) -> str:
    """The name of a project or an entity, as wandb takes it."""
    if not 0 < len(found.strip()) <= 128 or not found.isprintable() or set(found) & set("/\\#?%:"):
        allowed = "1 to 128 characters that can be seen, without /, \\, #, ?, % and :"
        raise ConfigError(f"{key}: found {found!r}, allowed: {allowed}")
    return found


@dataclass
class LoggerConfig(Section, prefix="logger."):
    """Where metrics go during a run: wandb, csv, or none.

    Without `mode`, `project` and `entity` those of the environment count (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY);
    without these, too, wandb is offline and the project is bsft.
    """

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

    def check(self) -> None:
        if self.method != MISSING and self.method.threshold == "validation" and not self.trainer.score.matched_items:
            raise ConfigError("method.threshold=validation needs items: set trainer.score.matched_items above 0")
        if not isinstance(method := self.method, SftConfig):
            return
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
        if self.trainer.strategy == "fsdp" and isinstance(method, ClassifierConfig):
            raise ConfigError("trainer.strategy=fsdp leaves no model for the detector; use trainer.strategy=ddp")


SCHEMAS: dict[str, dict[str, type[Section]]] = {
    "method": {
        "baseline": BaselineConfig,
        "instructed": InstructedConfig,
        "few_shot": FewShotConfig,
        "sft": SftConfig,
        "behavior_sft": BehaviorSftConfig,
        "classifier": ClassifierConfig,
    },
    "model": {"model": ModelConfig},
    "data": {"behaviorbench_open": OpenBenchConfig, "jsonl": JsonlConfig, "mederrbench": MedErrBenchConfig},
    "trainer": {"trainer": TrainerConfig},
    "logger": {"logger": LoggerConfig},
}
"""group -> schema name -> dataclass; in YAML a schema is named `schema_<name>`."""


def register() -> None:
    """Puts every schema into Hydra's config store (idempotent).

    `${bsft.home:PATH}` in YAML files is the path with `~` expanded, for Hydra, which makes directories itself.
    """
    OmegaConf.register_new_resolver("bsft.home", expand_home, replace=True)
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for group, schemas in SCHEMAS.items():
        for name, node in schemas.items():
            store.store(group=group, name=f"schema_{name}", node=node)


def without_hydra(composed: DictConfig) -> DictConfig:
    """A composed config, or a copy of it, without the node of Hydra's own settings."""
    if "hydra" not in composed:
        return composed
    alone = composed.copy()
    with open_dict(alone):
        del alone["hydra"]
    return alone


def validate(cfg: DictConfig) -> Config:
    """Turns a composed config into a frozen `Config`.

    Raises:
        ConfigError: a missing value, a wrong type, an unknown key or a contradiction; names the key.
    """
    cfg = without_hydra(cfg)
    try:
        if missing := sorted(OmegaConf.missing_keys(cfg)):
            raise ConfigError(f"{missing[0]} has no value: set {missing[0]}=...")
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from None
    assert isinstance(config, Config)
    config.seal()
    return config


def recomposed(stored: Mapping[str, Any]) -> DictConfig:
    """What `plain` has written down, as it was composed. Each group is of the smallest schema that has all its keys;
    newer keys have their defaults.

    Raises:
        ConfigError: it is no such config, or has keys that there are no longer.
    """
    try:
        groups = {group: OmegaConf.merge(_schema_of(group, stored[group]), stored[group]) for group in SCHEMAS}
        whole = OmegaConf.merge(OmegaConf.structured(Config), dict(stored) | groups)
    except (OmegaConfBaseException, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"not a configuration of this version: {' '.join(str(error).split())}") from None
    assert isinstance(whole, DictConfig)
    return whole


def _schema_of(group: str, stored: Mapping[str, Any]) -> DictConfig:
    nodes = sorted((OmegaConf.structured(schema) for schema in SCHEMAS[group].values()), key=len)
    fitting: list[DictConfig] = [node for node in nodes if stored.keys() <= node.keys()]
    if not fitting:
        raise ValueError(f"{group} has the keys {', '.join(stored)}")
    return fitting[0]


def plain(config: Section) -> dict[str, Any]:
    """The config as plain containers (what loggers, YAML and checkpoints can hold)."""
    return dataclasses.asdict(config)  # type: ignore[call-overload,no-any-return]
