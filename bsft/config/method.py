"""The group `method`: the methods and their adapters."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import ConfigError, Section, choice, number, safe_name

MAX_LEARNING_RATE = 10
"""Above it nothing is learnt."""

SYSTEM_PROMPT = (
    "You are a clinical assistant who takes part in a conversation of a hospital team. "
    "Read the conversation and give your next message in one or two sentences."
)


@dataclass
class MethodConfig(Section, prefix="method."):
    """What all methods share: the system prompt, and when a concern is raised.

    `threshold`: own (where the model prefers it) or validation (above the margin of raising a concern that gives the
    best macro-F1 of doing so on `trainer.score.matched_items` validation items).
    """

    name: str = safe_name()
    system_prompt: str = SYSTEM_PROMPT
    threshold: str = choice("own", "own", "validation")


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

    k: int = number(3, 1, 64)


@dataclass
class LoraConfig(Section, prefix="method.lora."):
    """Adapters. A rank above 4,096, the width of large models' layers, would add nothing."""

    rank: int = number(16, 1, 4096)
    alpha: float = number(32.0, 0, 1_000_000, above=True)
    dropout: float = number(0.0, 0, 1, below=True)
    targets: list[str] = field(default_factory=lambda: ["all-linear"])

    def check(self) -> None:
        if not self.targets:
            raise ConfigError("method.lora.targets=[]: name at least one layer, or all-linear")


@dataclass
class SftConfig(MethodConfig):
    """Supervised fine-tuning. `tuning` is lora, full (small models) or qlora (CUDA only)."""

    tuning: str = choice("lora", "lora", "full", "qlora")
    lora: LoraConfig = field(default_factory=LoraConfig)
    gradient_checkpointing: bool = False


@dataclass
class BehaviorConfig(Section, prefix="method.behavior."):
    """Behaviour tokens: how they are initialised and trained, and which behaviour speaks at inference.

    `row_lr` is the learning rate of the tokens' own rows, with the schedule of `trainer.fit.optim.lr`.
    `every_turn` also teaches, in items with a twin, which behaviour is due after every turn: to wait until the problem
    can be seen, and to speak up from then on.
    `form`: token (a new one for each behaviour, with rows of its own), or words at the reply's head, after SteerLM
    (https://arxiv.org/abs/2310.05344). `shuffled` permutes the behaviours over the items of the training split: a
    control, whose tokens teach nothing of when to speak up.
    `mode`: predict (the most likely token), force (`token`), none (no token at all).
    """

    init: str = choice("description", "description", "mean", "random")
    loss_weight: float = number(1.0, 0, 1_000_000)
    row_lr: float = number(0.02, 0, MAX_LEARNING_RATE)
    every_turn: bool = False
    form: str = choice("token", "token", "words")
    shuffled: bool = False
    mode: str = choice("predict", "predict", "force", "none")
    token: str | None = choice(None, "reactive", "balanced", "proactive")

    def check(self) -> None:
        if self.shuffled and self.every_turn:
            raise ConfigError("method.behavior.shuffled=true: every_turn would teach what is shuffled; leave it false")
        if self.mode == "force" and self.token is None:
            raise ConfigError("method.behavior.mode=force: also set method.behavior.token=reactive|balanced|proactive")
        if self.mode != "force" and self.token is not None:
            raise ConfigError(
                f"method.behavior.token={self.token} has no effect with method.behavior.mode={self.mode}; "
                "set method.behavior.mode=force"
            )


@dataclass
class BehaviorSftConfig(SftConfig):
    """BehaviorSFT: fine-tuning with behaviour tokens."""

    behavior: BehaviorConfig = field(default_factory=BehaviorConfig)


@dataclass
class ClassifierConfig(SftConfig):
    """GeneralSFT speaks, and a detector decides when: logistic regression on its last state of the prompt, fitted after
    it on the same items. `l2` is the detector's penalty, on standardised states."""

    l2: float = number(1.0, 0, 1_000_000, above=True)
