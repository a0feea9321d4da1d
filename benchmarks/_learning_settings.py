"""What one fit of the learning benchmark is: every option, its default and its name."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from benchmarks._common import job
from benchmarks._learning_examples import Labels
from benchmarks._learning_scenes import LEVELS, Form
from benchmarks._learning_slots import KINDS
from bsft import config as cfg
from bsft.records.errors import BadInput

_DTYPES = {"32-true": "float32", "bf16-mixed": "bfloat16"}


def _about(text: str, choices: tuple[Any, ...] | None = None) -> dict[str, Any]:
    return {"help": text, "choices": choices}


@dataclass(frozen=True)
class Settings:
    """The options of a fit, as the command line takes them."""

    model: str = field(default="smollm2_135m", metadata=_about("a config in conf/model"))
    method: str = field(
        default="behavior_sft", metadata=_about("with behaviour tokens or without", ("behavior_sft", "general_sft"))
    )
    kinds: list[str] = field(
        default_factory=lambda: list(KINDS), metadata=_about("kinds of problem, fitted jointly", KINDS)
    )
    levels: list[int] = field(default_factory=lambda: [1], metadata=_about("levels of the scenes", LEVELS))
    schedule: str = field(
        default="mixed",
        metadata=_about("of two levels: in turn, or the first one for the first half", ("mixed", "curriculum")),
    )
    pairs: int = field(default=3000, metadata=_about("pairs of each kind, at most"))
    pairs_per_step: int = field(default=8, metadata=_about("twin pairs of an optimisation step"))
    reply: str = field(
        default="evidence", metadata=_about("concerns name both pieces of evidence or none", ("evidence", "generic"))
    )
    every_turn: int = field(default=0, metadata=_about("1: a behaviour label after every turn, too", (0, 1)))
    slots: int = field(default=1, metadata=_about("independent problems a scene may have", (1, 2, 3, 4)))
    behavior_weight: float = field(default=1.0, metadata=_about("w_b, the weight of the behaviour token"))
    decision_weight: float = field(
        default=1.0, metadata=_about("weight of the first reply token in which twins differ")
    )
    tuning: str = field(default="lora", metadata=_about("what is trained", ("lora", "full")))
    rank: int = field(default=16, metadata=_about("of the LoRA adapters"))
    first_layer: int = field(default=0, metadata=_about("the first layer with adapters"))
    lr: float = field(default=1e-3, metadata=_about("learning rate"))
    row_lr: float = field(default=5e-3, metadata=_about("learning rate of the behaviour tokens' rows"))
    precision: str = field(default="32-true", metadata=_about("of the frozen base", tuple(_DTYPES)))
    seed: int = field(default=0, metadata=_about("of adapters and training pairs"))
    eval_every: int = field(default=160, metadata=_about("pairs of each kind between two evaluations"))
    eval_pairs: int = field(default=64, metadata=_about("held-out pairs of each kind and level"))

    def __post_init__(self) -> None:
        if self.every_turn and self.method == "general_sft":
            raise BadInput("--every-turn 1 labels behaviour tokens, and --method general_sft has none")
        if self.schedule == "curriculum" and len(self.levels) != 2:
            raise BadInput(f"--schedule curriculum needs two --levels, found {len(self.levels)}")

    @property
    def name(self) -> str:
        """What differs from the defaults; it names the directory of a fit."""
        defaults = asdict(Settings())
        changed = {key: value for key, value in asdict(self).items() if value != defaults[key]}
        written = (f"{key}={'+'.join(map(str, v)) if isinstance(v, list) else v}" for key, v in changed.items())
        return ",".join(written) or "default"

    @property
    def n_steps(self) -> int:
        return self.pairs * len(self.kinds) // self.pairs_per_step

    @property
    def form(self) -> Form:
        return Form(self.reply, self.slots)

    @property
    def labels(self) -> Labels:
        return Labels(bool(self.every_turn), self.behavior_weight, self.decision_weight)

    def config(self) -> cfg.Config:
        """The job that `bsft-train` would fit with these options."""
        own = [f"method={self.method}", f"method.tuning={self.tuning}", f"method.lora.rank={self.rank}"]
        own += [f"trainer.fit.optim.lr={self.lr}", f"trainer.fit.first_layer={self.first_layer}"]
        if self.method == "behavior_sft":
            own += [f"method.behavior.row_lr={self.row_lr}"]
        return job(self.model, "cpu", _DTYPES[self.precision], *own)


def add_options(parser: argparse.ArgumentParser) -> None:
    """One option for every field of `Settings`."""
    for one in fields(Settings):
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        sample = default[0] if isinstance(default, list) else default
        parser.add_argument(
            "--" + one.name.replace("_", "-"),
            type=type(sample),
            default=default,
            nargs="+" if isinstance(default, list) else None,
            **one.metadata,
        )


def chosen(arguments: argparse.Namespace) -> Settings:
    """The settings among parsed arguments."""
    return Settings(**{one.name: getattr(arguments, one.name) for one in fields(Settings)})
