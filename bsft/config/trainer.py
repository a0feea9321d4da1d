"""The group `trainer`: devices and precision, the recipes of fitting and of scoring."""

from dataclasses import dataclass, field

from bsft.config.base import ConfigError, Section, choice, number, safe_name
from bsft.config.method import MAX_LEARNING_RATE


@dataclass
class OptimConfig(Section, prefix="trainer.fit.optim."):
    """AdamW with linear warm-up, then cosine decay to `final_lr_fraction`; `max_grad_norm=0` clips nothing."""

    lr: float = number(1e-3, 0, MAX_LEARNING_RATE, above=True)
    weight_decay: float = number(0.0, 0, 1000)
    beta1: float = number(0.9, 0, 1, below=True)
    beta2: float = number(0.999, 0, 1, below=True)
    eps: float = number(1e-8, 0, 1, above=True)
    warmup_fraction: float = number(0.05, 0, 1)
    final_lr_fraction: float = number(0.1, 0, 1)
    max_grad_norm: float = number(1.0, 0, 10**9)
    fused: bool = True

    def check(self) -> None:
        if self.lr * self.weight_decay >= 1:
            raise ConfigError(
                f"trainer.fit.optim.weight_decay={self.weight_decay}: with trainer.fit.optim.lr={self.lr}, each step "
                f"would take away all of a weight or more; must be below {1 / self.lr:g}"
            )


@dataclass
class FitConfig(Section, prefix="trainer.fit."):
    """The training recipe. A step holds `cases_per_step` whole cases' items (twins together), in micro-batches of at
    most `micro_batch_tokens` tokens. Adapters go into the layers from `first_layer` on; those below stay as they are
    and need no backward pass, so that a step costs less."""

    max_epochs: int = number(1, 1, 1_000_000)
    max_steps: int | None = number(None, 1)
    cases_per_step: int = number(4, 1)
    items_per_case: int | None = number(None, 1)
    micro_batch_tokens: int = number(4096, 1)
    first_layer: int = number(0, 0, 10_000)
    optim: OptimConfig = field(default_factory=OptimConfig)
    val_every_steps: int | None = number(None, 1)
    patience: int | None = number(None, 1)
    checkpoint_every_steps: int = number(20, 1)

    def check(self) -> None:
        if self.patience is not None and self.val_every_steps is None:
            raise ConfigError("trainer.fit.patience needs validation: also set trainer.fit.val_every_steps")


@dataclass
class ScoreConfig(Section, prefix="trainer.score."):
    """Scoring: tokens held at once, bootstrap samples, and on how many items free text is generated.

    With `matched_items` validation items (0: without), a threshold is chosen that raises concerns about at most
    `matched_over_intervention` of those that need none, and results are reported at it too; with `prior`, also less
    what the model says to a request without its scene. `noise_floor` also scores restatements of the items, where the
    benchmark has them, to say how far a margin moves when nothing that matters is changed."""

    batch_tokens: int = number(8192, 1)
    max_items: int | None = number(None, 1)
    bootstrap_samples: int = number(1000, 1, 1_000_000)
    generate_items: int = number(0, 0)
    max_new_tokens: int = number(64, 1, 100_000)
    matched_items: int = number(400, 0)
    matched_over_intervention: float = number(0.05, 0, 1, below=True)
    prior: bool = True
    noise_floor: bool = True


@dataclass
class TrainerConfig(Section, prefix="trainer."):
    """Devices, precision, batching (prefix trees or separate sequences), and the recipes of fitting and scoring."""

    name: str = safe_name()
    accelerator: str = choice("cpu", "cpu", "cuda", "mps", "auto")
    devices: int = number(1, 1, 1024)
    num_nodes: int = number(1, 1, 100_000)
    strategy: str = choice("auto", "auto", "ddp", "fsdp")
    precision: str = choice("32-true", "32-true", "bf16-mixed")
    batching: str = choice("tree", "tree", "flat")
    threads: int | None = number(None, 1, 4096)
    fit: FitConfig = field(default_factory=FitConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)

    def check(self) -> None:
        if self.devices > 1 and self.strategy == "auto":
            raise ConfigError(f"trainer.devices={self.devices}: also set trainer.strategy=ddp or trainer.strategy=fsdp")
