"""The group `trainer`: devices and precision, the recipes of fitting and of scoring."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, one_of, safe_name
from bsft.config.method import MAX_LEARNING_RATE
from bsft.config.ranges import below_one, not_negative, positive, share, within

MAX_WEIGHT_DECAY = 1e3
MAX_GRAD_NORM = 1e9
MAX_EPOCHS = 1_000_000
MAX_LAYERS = 10_000
MAX_BOOTSTRAP_SAMPLES = 1_000_000
MAX_NEW_TOKENS = 100_000
MAX_DEVICES, MAX_NODES, MAX_THREADS = 1024, 100_000, 4096


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
        for key, most in (("lr", MAX_LEARNING_RATE), ("eps", 1.0)):
            positive(f"trainer.fit.optim.{key}", getattr(self, key), most)
        for key, most in (("weight_decay", MAX_WEIGHT_DECAY), ("max_grad_norm", MAX_GRAD_NORM)):
            not_negative(f"trainer.fit.optim.{key}", getattr(self, key), most)
        if self.lr * self.weight_decay >= 1:
            raise ConfigError(
                f"trainer.fit.optim.weight_decay={self.weight_decay}: with trainer.fit.optim.lr={self.lr}, each step "
                f"would take away all of a weight or more; must be below {1 / self.lr:g}"
            )
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
        within("trainer.fit.max_epochs", self.max_epochs, 1, MAX_EPOCHS)
        for key in ("cases_per_step", "checkpoint_every_steps", "micro_batch_tokens"):
            within(f"trainer.fit.{key}", getattr(self, key), 1)
        for key in ("max_steps", "items_per_case", "val_every_steps", "patience"):
            within(f"trainer.fit.{key}", getattr(self, key), 1)
        within("trainer.fit.first_layer", self.first_layer, 0, MAX_LAYERS)
        if self.patience is not None and self.val_every_steps is None:
            raise ConfigError("trainer.fit.patience needs validation: also set trainer.fit.val_every_steps")


@dataclass
class ScoreConfig(Section):
    """Scoring: tokens held at once, bootstrap samples, and on how many items free text is generated.

    With `matched_items` validation items (0: without), a threshold is chosen that raises concerns about at most
    `matched_over_intervention` of those that need none, and results are reported at it too; with `prior`, also less
    what the model says to a request without its scene. `noise_floor` also scores restatements of the items, where the
    benchmark has them, to say how far a margin moves when nothing that matters is changed."""

    batch_tokens: int = 8192
    max_items: int | None = None
    bootstrap_samples: int = 1000
    generate_items: int = 0
    max_new_tokens: int = 64
    matched_items: int = 400
    matched_over_intervention: float = 0.05
    prior: bool = True
    noise_floor: bool = True

    def __post_init__(self) -> None:
        within("trainer.score.matched_items", self.matched_items, 0)
        share("trainer.score.matched_over_intervention", self.matched_over_intervention)
        for key in ("batch_tokens", "max_items"):
            within(f"trainer.score.{key}", getattr(self, key), 1)
        within("trainer.score.bootstrap_samples", self.bootstrap_samples, 1, MAX_BOOTSTRAP_SAMPLES)
        within("trainer.score.max_new_tokens", self.max_new_tokens, 1, MAX_NEW_TOKENS)
        within("trainer.score.generate_items", self.generate_items, 0)


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
        for key, most in (("devices", MAX_DEVICES), ("num_nodes", MAX_NODES), ("threads", MAX_THREADS)):
            within(f"trainer.{key}", getattr(self, key), 1, most)
        if self.devices > 1 and self.strategy == "auto":
            raise ConfigError(f"trainer.devices={self.devices}: also set trainer.strategy=ddp or trainer.strategy=fsdp")
