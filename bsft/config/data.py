"""The group `data`: benchmarks, and what of them is used."""

from dataclasses import dataclass, field

from bsft.config.base import MAX_SEED, Section, number, safe_name, user_path

MIN_CASES = 10
"""Every split of the open benchmark then has a case."""
MAX_CASES = 1_000_000
"""About 20 million items."""


@dataclass
class DataConfig(Section, prefix="data."):
    """What all benchmarks share: which splits and tasks are used, and how many items of each.

    Items are limited by whole cases in a fixed order, so that twins stay together. `scene_tokens` bounds a scene; a
    longer one loses its least important turns, the same ones for both twins and for every method. `flags` are labels:
    of proactive tasks, only pairs whose problem calls for one of them are used.
    """

    name: str = safe_name()
    train_split: str = "train"
    val_split: str = "val"
    eval_split: str = "test"
    tasks: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    max_train_items: int | None = number(None, 1)
    max_val_items: int | None = number(None, 1)
    max_eval_items: int | None = number(None, 1)
    scene_tokens: int = number(1024, 32)


@dataclass
class OpenBenchConfig(DataConfig):
    """BehaviorBench-Open, generated from the case bank."""

    n_cases: int = number(300, MIN_CASES, MAX_CASES)
    build_seed: int = number(0, 0, MAX_SEED)


@dataclass
class JsonlConfig(DataConfig):
    """Items in bsft's JSONL records: a directory or one file."""

    path: str = user_path()


@dataclass
class MedErrBenchConfig(DataConfig):
    """MedErrBench-EN: the directory with its three CSV files."""

    path: str = user_path()
    normalise_case: bool = True
    min_kind_test_items: int = number(10, 1)
