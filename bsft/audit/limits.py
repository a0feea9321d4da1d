"""What a benchmark may not do, how that is found out, and whether it does."""

from dataclasses import dataclass, field
from typing import Literal

from bsft.stats.bootstrap import Estimate

Status = Literal["passed", "broken", "not checked", "reported"]
Measure = Literal["AUROC", "paired AUC", "accuracy"]

N_EXAMPLES = 5
"""Items that a broken rule names."""


@dataclass(frozen=True)
class Limits:
    """The limits of an audit.

    Attributes:
        max_auroc: no lower bound of a probe of artefacts lies above it, for any kind of problem and level.
        min_cases: cases below which a limit is not checked.
        max_jaccard: scenes of different splits that share more than this part of their word triples are duplicates.
        max_complaint_accuracy: nor does that of what the complaint alone answers lie above this.
        min_distinct_4: share of the 4-grams of about 25,000 tokens that are different ones.
        max_repeated_8: share of their 8-grams that occur in another document.
        min_asking: share of the turns that ask.
        bound_to_prose: whether the last four are limits, or only reported beside them.
    """

    max_auroc: float = 0.55
    min_cases: int = 30
    max_jaccard: float = 0.9
    max_complaint_accuracy: float = 0.45
    min_distinct_4: float = 0.6
    max_repeated_8: float = 0.2
    min_asking: float = 0.15
    bound_to_prose: bool = False


@dataclass(frozen=True)
class Settings:
    """How an audit is made.

    Attributes:
        max_cases: cases of a kind of problem, or of an answering task, that its probes use, drawn at random.
        seed: decides which cases are taken, and the resampling.
        n_bootstrap: resamples of cases for every interval.
        limits: what may not be exceeded.
    """

    max_cases: int = 600
    seed: int = 0
    n_bootstrap: int = 500
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Finding:
    """What a probe found about a kind of problem, or about a task, at one level or at all of them.

    Attributes:
        probe: what it looks at.
        kind: None where the task has no kinds.
        level: None for all levels together.
        n: units that were judged: items, pairs or options.
        allowed: the limit, None where there is none.
        bound: the estimate's lower bound, corrected for all comparisons of the audit; None where nothing is checked.
    """

    probe: str
    task: str
    kind: str | None
    level: int | None
    measure: Measure
    estimate: Estimate
    n: int
    allowed: float | None = None
    bound: float | None = None

    @property
    def status(self) -> Status:
        if self.allowed is None:
            return "reported"
        if self.bound is None:
            return "not checked"
        return "broken" if self.bound > self.allowed else "passed"

    @property
    def where(self) -> str:
        return self.kind or self.task


@dataclass(frozen=True)
class Check:
    """A rule without an interval, held against what was found."""

    name: str
    status: Status
    found: str
    """What was found and what is allowed, in words."""
    examples: tuple[str, ...] = ()
    """Ids of the first items that break it."""
