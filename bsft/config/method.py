"""The group `method`: the five methods and their adapters."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, one_of, safe_name
from bsft.config.ranges import below_one, not_negative, positive, within

MAX_EXEMPLARS = 64
MAX_RANK = 4096
"""As wide as the layers of large models: a higher rank adds nothing."""
MAX_ALPHA = 1e6
MAX_LOSS_WEIGHT = 1e6
MAX_LEARNING_RATE = 10.0
"""Above it nothing is learnt."""

SYSTEM_PROMPT = (
    "You are a clinical assistant who takes part in a conversation of a hospital team. "
    "Read the conversation and give your next message in one or two sentences."
)


@dataclass
class MethodConfig(Section):
    """What all methods share: the system prompt."""

    name: str = MISSING
    system_prompt: str = SYSTEM_PROMPT

    def __post_init__(self) -> None:
        safe_name("method.name", self.name)


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
        super().__post_init__()
        within("method.k", self.k, 1, MAX_EXEMPLARS)


@dataclass
class LoraConfig(Section):
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: ["all-linear"])

    def __post_init__(self) -> None:
        within("method.lora.rank", self.rank, 1, MAX_RANK)
        positive("method.lora.alpha", self.alpha, MAX_ALPHA)
        below_one("method.lora.dropout", self.dropout)
        if not self.targets:
            raise ConfigError("method.lora.targets=[]: name at least one layer, or all-linear")


@dataclass
class SftConfig(MethodConfig):
    """Supervised fine-tuning. `tuning` is lora, full (small models) or qlora (CUDA only)."""

    tuning: str = "lora"
    lora: LoraConfig = field(default_factory=LoraConfig)
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("method.tuning", self.tuning, ("lora", "full", "qlora"))


@dataclass
class BehaviorConfig(Section):
    """Behaviour tokens: how they are initialised and trained, and which behaviour speaks at inference.

    `row_lr` is the learning rate of the tokens' own rows, with the schedule of `trainer.fit.optim.lr`.
    `every_turn` also teaches, in items with a twin, which behaviour is due after every turn: to wait until the problem
    can be seen, and to speak up from then on.
    `mode`: predict (the most likely token), force (`token`), none (no token at all).
    """

    init: str = "description"
    loss_weight: float = 1.0
    row_lr: float = 0.02
    every_turn: bool = False
    mode: str = "predict"
    token: str | None = None

    def __post_init__(self) -> None:
        one_of("method.behavior.init", self.init, ("description", "mean", "random"))
        one_of("method.behavior.mode", self.mode, ("predict", "force", "none"))
        not_negative("method.behavior.loss_weight", self.loss_weight, MAX_LOSS_WEIGHT)
        not_negative("method.behavior.row_lr", self.row_lr, MAX_LEARNING_RATE)
        if self.mode == "force" and self.token is None:
            raise ConfigError("method.behavior.mode=force: also set method.behavior.token=reactive|balanced|proactive")
        if self.mode != "force" and self.token is not None:
            raise ConfigError(
                f"method.behavior.token={self.token} has no effect with method.behavior.mode={self.mode}; "
                "set method.behavior.mode=force"
            )
        if self.token is not None:
            one_of("method.behavior.token", self.token, ("reactive", "balanced", "proactive"))


@dataclass
class BehaviorSftConfig(SftConfig):
    """BehaviorSFT: fine-tuning with behaviour tokens."""

    behavior: BehaviorConfig = field(default_factory=BehaviorConfig)
