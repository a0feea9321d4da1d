"""The group `data`: benchmarks, and what of them is used."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from bsft.config.base import Section, safe_name
from bsft.config.ranges import seed, within
from bsft.records.paths import expand_home

MIN_CASES = 10
"""Every split of the open benchmark then has a case."""
MAX_CASES = 1_000_000
"""About 20 million items."""


@dataclass
class DataConfig(Section):
    """What all benchmarks share: which splits and tasks are used, and how many items of each.

    Items are limited by whole cases in a fixed order, so that twins stay together. `scene_tokens` bounds a scene; a
    longer one loses its least important turns, the same ones for both twins and for every method. `flags` are labels:
    of proactive tasks, only pairs whose problem calls for one of them are used.
    """

    name: str = MISSING
    train_split: str = "train"
    val_split: str = "val"
    eval_split: str = "test"
    tasks: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    max_train_items: int | None = None
    max_val_items: int | None = None
    max_eval_items: int | None = None
    scene_tokens: int = 1024

    def __post_init__(self) -> None:
        safe_name("data.name", self.name)
        within("data.scene_tokens", self.scene_tokens, 32)
        for key in ("max_train_items", "max_val_items", "max_eval_items"):
            within(f"data.{key}", getattr(self, key), 1)


@dataclass
class OpenBenchConfig(DataConfig):
    """BehaviorBench-Open, generated from the case bank."""

    n_cases: int = 300
    build_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        within("data.n_cases", self.n_cases, MIN_CASES, MAX_CASES)
        seed("data.build_seed", self.build_seed)


@dataclass
class JsonlConfig(DataConfig):
    """Items in bsft's JSONL records: a directory or one file."""

    path: str = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        self.path = expand_home(self.path)


@dataclass
class MedErrBenchConfig(DataConfig):
    """MedErrBench-EN: the directory with its three CSV files."""

    path: str = MISSING
    normalise_case: bool = True
    min_kind_test_items: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        within("data.min_kind_test_items", self.min_kind_test_items, 1)
        self.path = expand_home(self.path)
