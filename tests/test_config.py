"""The configuration: contradictions die in one sentence, nothing unknown passes, the result is frozen."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import make_config
from omegaconf import DictConfig, OmegaConf, open_dict

from bsft import config as cfg
from bsft.config.model import RANDOM_ARCHITECTURES
from bsft.model.tiny import tiny_model

CONTRADICTIONS: list[tuple[Callable[[], Any], str]] = [
    (lambda: cfg.FewShotConfig(k=0), "method.k=0: must be at least 1"),
    (lambda: cfg.LoraConfig(rank=0), "method.lora.rank=0: must be at least 1"),
    (lambda: cfg.LoraConfig(dropout=1.0), "method.lora.dropout=1.0: must be at least 0 and below 1"),
    (lambda: cfg.LoraConfig(alpha=0), "method.lora.alpha=0: must be above 0"),
    (lambda: cfg.LoraConfig(targets=[]), r"method.lora.targets=\[\]: name at least one layer"),
    (lambda: cfg.SftConfig(tuning="lor"), "method.tuning=lor: allowed are lora, full, qlora; did you mean lora?"),
    (lambda: cfg.BehaviorConfig(init="zeros"), "method.behavior.init=zeros: allowed are description, mean, random"),
    (lambda: cfg.BehaviorConfig(mode="forced"), "method.behavior.mode=forced: allowed are .*; did you mean force?"),
    (lambda: cfg.BehaviorConfig(loss_weight=-1), "method.behavior.loss_weight=-1: must be at least 0"),
    (lambda: cfg.BehaviorConfig(row_lr=-1), "method.behavior.row_lr=-1: must be at least 0"),
    (lambda: cfg.BehaviorConfig(mode="force"), "mode=force: also set method.behavior.token="),
    (lambda: cfg.BehaviorConfig(token="proactive"), "has no effect with method.behavior.mode=predict"),
    (lambda: cfg.BehaviorConfig(mode="force", token="loud"), "method.behavior.token=loud: allowed are reactive"),
    (lambda: cfg.ModelConfig(source="hub"), "model.source=hub: model.id must be set"),
    (lambda: cfg.ModelConfig(source="local"), "model.source=local: model.path must be set"),
    (lambda: cfg.ModelConfig(source="packaged"), "model.source=packaged: model.package must be set"),
    (lambda: cfg.ModelConfig(source="disk"), "model.source=disk: allowed are hub, local, packaged, random"),
    (lambda: cfg.ModelConfig(id="a", dtype="float16"), "model.dtype=float16: allowed are float32, bfloat16"),
    (lambda: cfg.ModelConfig(id="a", attention="fast"), "model.attention=fast: allowed are sdpa"),
    (lambda: cfg.ModelConfig(id="a", chat_template="alpaca"), "model.chat_template=alpaca: allowed are chatml"),
    (lambda: cfg.ModelConfig(id="a", date="today"), "model.date=today: must be a date such as 2025-01-01"),
    (lambda: cfg.ModelConfig(id="a", max_length_tokens=63), "model.max_length_tokens=63: must be at least 64"),
    (
        lambda: cfg.ModelConfig(source="random", id="lama"),
        "model.id=lama: allowed are llama, .*; did you mean llama?",
    ),
    (lambda: cfg.MedErrBenchConfig(min_kind_test_items=0), "data.min_kind_test_items=0: must be at least 1"),
    (lambda: cfg.JsonlConfig(scene_tokens=31), "data.scene_tokens=31: must be at least 32"),
    (lambda: cfg.JsonlConfig(max_eval_items=0), "data.max_eval_items=0: must be at least 1"),
    (lambda: cfg.OpenBenchConfig(n_cases=0), "data.n_cases=0: must be at least 10 and at most 1000000"),
    (lambda: cfg.OpenBenchConfig(max_train_items=0), "data.max_train_items=0: must be at least 1"),
    (lambda: cfg.OptimConfig(lr=0), "trainer.fit.optim.lr=0: must be above 0 and at most 10"),
    (lambda: cfg.OptimConfig(lr=float("nan")), "trainer.fit.optim.lr=nan: must be above 0 and at most 10"),
    (lambda: cfg.OptimConfig(max_grad_norm=-1), "trainer.fit.optim.max_grad_norm=-1: must be at least 0"),
    (lambda: cfg.OptimConfig(weight_decay=-1), "trainer.fit.optim.weight_decay=-1: must be at least 0"),
    (lambda: cfg.OptimConfig(beta2=1), "trainer.fit.optim.beta2=1: must be at least 0 and below 1"),
    (
        lambda: cfg.OptimConfig(warmup_fraction=2),
        "trainer.fit.optim.warmup_fraction=2: must be at least 0 and at most 1",
    ),
    (lambda: cfg.FitConfig(max_epochs=0), "trainer.fit.max_epochs=0: must be at least 1"),
    (lambda: cfg.FitConfig(first_layer=-1), "trainer.fit.first_layer=-1: must be at least 0"),
    (lambda: cfg.FitConfig(max_steps=0), "trainer.fit.max_steps=0: must be at least 1"),
    (lambda: cfg.FitConfig(patience=2), "trainer.fit.patience needs validation: also set trainer.fit.val_every_steps"),
    (lambda: cfg.ScoreConfig(batch_tokens=0), "trainer.score.batch_tokens=0: must be at least 1"),
    (lambda: cfg.ScoreConfig(bootstrap_samples=0), "trainer.score.bootstrap_samples=0: must be at least 1"),
    (
        lambda: cfg.ScoreConfig(matched_over_intervention=1),
        "trainer.score.matched_over_intervention=1: must be at least 0 and below 1",
    ),
    (lambda: cfg.ScoreConfig(max_items=0), "trainer.score.max_items=0: must be at least 1"),
    (lambda: cfg.ScoreConfig(generate_items=-1), "trainer.score.generate_items=-1: must be at least 0"),
    (lambda: cfg.TrainerConfig(threads=0), "trainer.threads=0: must be at least 1"),
    (lambda: cfg.TrainerConfig(num_nodes=0), "trainer.num_nodes=0: must be at least 1"),
    (lambda: cfg.TrainerConfig(accelerator="gpu"), "trainer.accelerator=gpu: allowed are cpu, cuda, mps, auto"),
    (lambda: cfg.TrainerConfig(precision="bf16-true"), "trainer.precision=bf16-true: allowed are 32-true, bf16-mixed"),
    (lambda: cfg.TrainerConfig(batching="trees"), "trainer.batching=trees: allowed are tree, flat; did you mean tree?"),
    (lambda: cfg.TrainerConfig(devices=2), "trainer.devices=2: also set trainer.strategy=ddp or"),
    (lambda: cfg.LoggerConfig(name="mlflow"), "logger.name=mlflow: allowed are wandb, csv, none"),
    (lambda: cfg.LoggerConfig(name="wandb", mode="on"), "logger.mode=on: allowed are offline, online"),
    (lambda: make_config(seed=2**32), "seed=4294967296: must be at least 0 and at most 4294967295"),
    (lambda: make_config(seed=10**4000), r"seed=10{56}\.\.\.: must be at least 0 and at most"),
    (lambda: cfg.OpenBenchConfig(n_cases=5), "data.n_cases=5: must be at least 10 and at most 1000000"),
    (lambda: cfg.OpenBenchConfig(build_seed=2**32), "data.build_seed=4294967296: must be at least 0 and at most"),
    (lambda: cfg.LoraConfig(rank=10**9), "method.lora.rank=1000000000: must be at least 1 and at most 4096"),
    (lambda: cfg.OptimConfig(weight_decay=500, lr=0.01), r"weight_decay=500: with .*lr=0.01, .* must be below 100"),
    (lambda: make_config(seed=-1), "seed=-1: must be at least 0"),
    (lambda: make_config(sweep="a/b"), "sweep: found 'a/b', allowed: letters, digits,"),
    (lambda: make_config(sweep=""), "sweep: found '', allowed: letters, digits,"),
    (
        lambda: make_config(method=cfg.SftConfig(name="general_sft", tuning="qlora")),
        "method.tuning=qlora needs CUDA; trainer.accelerator=cpu",
    ),
    (
        lambda: make_config(method=cfg.SftConfig(name="general_sft", tuning="full"), fit={"first_layer": 1}),
        "trainer.fit.first_layer=1 says where adapters begin, and method.tuning=full has none",
    ),
    (
        lambda: make_config(
            method=cfg.SftConfig(name="general_sft", tuning="full"),
            model=cfg.ModelConfig(name="a", id="a", dtype="bfloat16"),
        ),
        "method.tuning=full with model.dtype=bfloat16: small updates would round to zero",
    ),
    (
        lambda: make_config(
            method=cfg.SftConfig(name="general_sft", tuning="qlora"), accelerator="cuda", strategy="fsdp", devices=2
        ),
        "trainer.strategy=fsdp cannot shard method.tuning=qlora",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), CONTRADICTIONS, ids=[sentence[:40] for _, sentence in CONTRADICTIONS])
def test_a_contradiction_is_one_sentence_that_names_the_key(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(cfg.ConfigError, match=sentence):
        make()


def composed(**changes: Any) -> DictConfig:
    """A config as Hydra would compose it."""
    return OmegaConf.merge(OmegaConf.structured(make_config("somewhere")), changes)  # type: ignore[return-value]


def test_validate_returns_the_dataclasses_of_the_chosen_options() -> None:
    config = cfg.validate(composed(seed=3))
    assert type(config.method) is cfg.BehaviorSftConfig
    assert type(config.data) is cfg.JsonlConfig
    assert (config.seed, config.data.path, config.method.behavior.loss_weight) == (3, "somewhere", 1.0)


def test_validate_leaves_out_the_node_of_hydra_and_its_argument_alone() -> None:
    given = composed()
    with open_dict(given):
        given.hydra = {"mode": "RUN"}
    assert isinstance(cfg.validate(given), cfg.Config)
    assert given.hydra.mode == "RUN"


def test_a_validated_config_is_frozen_at_every_depth() -> None:
    config = cfg.validate(composed())
    for section, key in [(config, "seed"), (config.trainer, "devices"), (config.trainer.fit.optim, "lr")]:
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to '{key}'"):
            setattr(section, key, 1)


def test_a_value_that_is_missing_is_named() -> None:
    given = composed()
    given.data.path = "???"
    with pytest.raises(cfg.ConfigError, match=r"^data.path has no value: set data.path=\.\.\.$"):
        cfg.validate(given)


@pytest.mark.parametrize(
    ("where", "key", "sentence"),
    [
        ("", "sed", "unknown key sed; did you mean seed?"),
        ("trainer.fit.optim", "lrr", r"unknown key trainer.fit.optim.lrr; did you mean lr\?"),
        ("method.behavior", "zzz", "unknown key method.behavior.zzz$"),
    ],
)
def test_a_key_that_was_forced_past_the_schema_is_refused(where: str, key: str, sentence: str) -> None:
    given = composed()
    node = OmegaConf.select(given, where) if where else given
    with open_dict(node):
        node[key] = 1
    with pytest.raises(cfg.ConfigError, match=sentence):
        cfg.validate(given)


def test_a_contradiction_between_groups_is_found_by_validate() -> None:
    given = composed()
    given.method.tuning = "qlora"
    with pytest.raises(cfg.ConfigError, match=r"method\.tuning=qlora needs CUDA"):
        cfg.validate(given)


def test_plain_holds_containers_only_and_every_value() -> None:
    values = cfg.plain(cfg.validate(composed(seed=7)))
    assert values["seed"] == 7
    assert values["method"]["lora"]["targets"] == ["all-linear"]
    assert values["trainer"]["fit"]["optim"]["lr"] == 1e-3
    assert _leaf_types(values) <= {str, int, float, bool, type(None)}


def _leaf_types(value: Any) -> set[type]:
    if isinstance(value, dict):
        return set().union(*map(_leaf_types, value.values()))
    if isinstance(value, list):
        return set().union(*map(_leaf_types, value))
    return {type(value)}


def test_did_you_mean_names_only_a_near_word() -> None:
    assert cfg.did_you_mean("wandbb", ("wandb", "csv")) == "; did you mean wandb?"
    assert cfg.did_you_mean("tensorboard", ("wandb", "csv")) == ""


def test_the_random_architectures_are_those_that_can_be_made() -> None:
    for architecture in RANDOM_ARCHITECTURES:
        assert tiny_model(architecture).num_parameters() > 0


def test_every_yaml_starts_from_a_schema_and_names_itself_after_its_file() -> None:
    """A YAML without a schema would accept any misspelling."""
    conf = Path(__file__).parent.parent / "conf"
    for group in cfg.SCHEMAS:
        files = sorted((conf / group).glob("*.yaml"))
        assert files, group
        for file in files:
            node = OmegaConf.load(file)
            first = node.defaults[0]
            extends_another = (conf / group / f"{first}.yaml").exists()
            assert first.removeprefix("schema_") in cfg.SCHEMAS[group] or extends_another, file
            assert node.name == file.stem, file


# --- every number ---------------------------------------------------------------------------------------------------

NUMBERS = [
    (section, field.name, typing.get_type_hints(section)[field.name])
    for section in (
        cfg.BehaviorConfig, cfg.Config, cfg.FewShotConfig, cfg.FitConfig, cfg.JsonlConfig, cfg.LoraConfig,
        cfg.MedErrBenchConfig, cfg.ModelConfig, cfg.OpenBenchConfig, cfg.OptimConfig, cfg.ScoreConfig,
        cfg.TrainerConfig,
    )
    for field in dataclasses.fields(section)
    if typing.get_type_hints(section)[field.name] in (int, float, int | None, float | None)
]  # fmt: skip
"""(section, field, type) of everything in the configuration that is a number."""


@pytest.mark.parametrize(("section", "name", "kind"), NUMBERS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_every_number_has_a_range_that_can_work(section: type[cfg.Section], name: str, kind: object) -> None:
    """Neither NaN nor infinity, nothing negative, nothing that no machine can hold; the message names the key."""
    known = set(typing.get_type_hints(section))
    needed: dict[str, Any] = {key: value for key, value in (("name", "x"), ("id", "a")) if key in known}
    wrong = [-1, 10**12, 10**5000] if kind in (int, int | None) else [-0.5, 1e12, math.inf, -math.inf, math.nan]
    for value in wrong:
        with pytest.raises(cfg.ConfigError, match=f"{name}=.*: must be "):
            make = make_config if section is cfg.Config else section
            make(**{**needed, name: value})
