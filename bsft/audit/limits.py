"""What a benchmark may not do, how that is found out, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["passed", "broken", "not checked"]


@dataclass(frozen=True)
class Limits:
    """The limits of an audit.

    Attributes:
        max_auroc: the lower bound of no binding probe's AUROC lies above it, numerals masked.
        min_pairs: pairs (for probes of options and policies: items) below which a limit is not checked.
        max_naive_score: the lower bound of no naive policy's macro-F1 (accuracy, where gold is constant) is above it.
        max_option_length_ratio: an item's longest option has at most this many times the characters of its shortest.
        max_jaccard: scenes of different splits that share more than this part of their word triples are duplicates.
    """

    max_auroc: float = 0.55
    min_pairs: int = 1000
    max_naive_score: float = 0.5
    max_option_length_ratio: float = 1.2
    max_jaccard: float = 0.9

    def status(self, low: float, allowed: float, n: int) -> Status:
        """An interval's lower bound against what is allowed, where there are enough units to judge."""
        if n < self.min_pairs:
            return "not checked"
        return "broken" if low > allowed else "passed"


@dataclass(frozen=True)
class Settings:
    """How an audit is made.

    Attributes:
        max_pairs: pairs of a task and split that probes use; cases are taken whole, at random.
        seed: decides which cases are taken, and the resampling.
        n_bootstrap: resamples of cases for every interval.
        limits: what may not be exceeded.
    """

    max_pairs: int = 2000
    seed: int = 0
    n_bootstrap: int = 500
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Check:
    """A limit, held against what was found."""

    name: str
    subject: str
    """What was checked: a task, or the benchmark."""
    status: Status
    message: str
    """One sentence: what was found and what is allowed."""
    examples: tuple[str, ...] = ()
    """Ids of the first items that break it."""
