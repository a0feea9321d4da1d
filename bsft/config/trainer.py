"""The group `trainer`: devices and precision, the recipes of fitting and of scoring."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, at_least, below_one, one_of, positive, safe_name, share


@dataclass
class OptimConfig(Section):
    """AdamW with linear warm-up, then cosine decay to `final_lr_fraction`; `max_grad_norm=0` clips nothing."""

    lr: float = 1e-3
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    warmup_fraction: float = 0.05
    final_lr_fraction: float = 0.1
    max_grad_norm: float = 1.0
    fused: bool = True

    def __post_init__(self) -> None:
        for key in ("lr", "eps"):
            positive(f"trainer.fit.optim.{key}", getattr(self, key))
        for key in ("weight_decay", "max_grad_norm"):
            at_least(f"trainer.fit.optim.{key}", getattr(self, key), 0)
        for key in ("beta1", "beta2"):
            below_one(f"trainer.fit.optim.{key}", getattr(self, key))
        for key in ("warmup_fraction", "final_lr_fraction"):
            share(f"trainer.fit.optim.{key}", getattr(self, key))


@dataclass
class FitConfig(Section):
    """The training recipe. A step holds `cases_per_step` whole cases' items (twins together), in micro-batches of at
    most `micro_batch_tokens` tokens. Adapters go into the layers from `first_layer` on; those below stay as they are
    and need no backward pass, so that a step costs less."""

    max_epochs: int = 1
    max_steps: int | None = None
    cases_per_step: int = 4
    items_per_case: int | None = None
    micro_batch_tokens: int = 4096
    first_layer: int = 0
    optim: OptimConfig = field(default_factory=OptimConfig)
    val_every_steps: int | None = None
    patience: int | None = None
    checkpoint_every_steps: int = 20

    def __post_init__(self) -> None:
        for key in ("max_epochs", "cases_per_step", "checkpoint_every_steps", "micro_batch_tokens"):
            at_least(f"trainer.fit.{key}", getattr(self, key), 1)
        for key in ("max_steps", "items_per_case", "val_every_steps", "patience"):
            at_least(f"trainer.fit.{key}", getattr(self, key), 1)
        at_least("trainer.fit.first_layer", self.first_layer, 0)
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
        for key in ("batch_tokens", "max_items", "bootstrap_samples", "max_new_tokens"):
            at_least(f"trainer.score.{key}", getattr(self, key), 1)
        at_least("trainer.score.generate_items", self.generate_items, 0)


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
        safe_name("trainer.name", self.name)
        one_of("trainer.accelerator", self.accelerator, ("cpu", "cuda", "mps", "auto"))
        one_of("trainer.strategy", self.strategy, ("auto", "ddp", "fsdp"))
        one_of("trainer.batching", self.batching, ("tree", "flat"))
        one_of("trainer.precision", self.precision, ("32-true", "bf16-mixed"))
        for key in ("devices", "num_nodes", "threads"):
            at_least(f"trainer.{key}", getattr(self, key), 1)
        if self.devices > 1 and self.strategy == "auto":
            raise ConfigError(f"trainer.devices={self.devices}: also set trainer.strategy=ddp or trainer.strategy=fsdp")
