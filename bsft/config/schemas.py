"""The sections as Hydra schemas, and `validate`, which turns a composed config into a frozen, typed `Config`."""

from __future__ import annotations

import dataclasses
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from bsft.config.base import ConfigError, Section
from bsft.config.data import JsonlConfig, MedErrBenchConfig, OpenBenchConfig
from bsft.config.job import Config, LoggerConfig
from bsft.config.method import BaselineConfig, BehaviorSftConfig, FewShotConfig, InstructedConfig, SftConfig
from bsft.config.model import ModelConfig
from bsft.config.trainer import TrainerConfig
from bsft.records.paths import expand_home

SCHEMAS: dict[str, dict[str, type[Section]]] = {
    "method": {
        "baseline": BaselineConfig,
        "instructed": InstructedConfig,
        "few_shot": FewShotConfig,
        "sft": SftConfig,
        "behavior_sft": BehaviorSftConfig,
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


def plain(config: Section) -> dict[str, Any]:
    """The config as plain containers (what loggers, YAML and checkpoints can hold)."""
    return dataclasses.asdict(config)  # type: ignore[call-overload,no-any-return]
