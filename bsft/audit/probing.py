"""A probing task is a yes-or-no question about units of a benchmark; a probe is a simple model that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bsft.audit.folds import Design
from bsft.audit.learners import Feature, Learner, Matrix, scores, top_features
from bsft.audit.texts import Numerals
from bsft.stats.arrays import Booleans
from bsft.stats.bootstrap import Bootstrap, Estimate
from bsft.stats.measures import auroc

MIN_KIND_UNITS = 60
"""A kind of perturbation with fewer units is not reported separately."""

Metric = Literal["auroc", "macro_f1"]


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found."""

    task: str
    asks: str
    """The question that the probe answers."""
    name: str
    """What it looks at."""
    numerals: Numerals | None
    """None where it sees no text."""
    metric: Metric
    estimate: Estimate
    chance: float
    n: int
    unit: str
    """What `n` counts: pairs, items or turns."""
    design: str
    binding: bool
    """Whether the limit holds for it: nothing that it looks at may rightly give the answer."""
    features: list[Feature] = field(default_factory=list)
    by_kind: dict[str, float] = field(default_factory=dict)
    """Kind of perturbation -> value over its units."""


@dataclass(frozen=True)
class ProbingTask:
    """Units, each of which is positive or not; sequences run over units."""

    task: str
    asks: str
    unit: str
    group: Sequence[int]
    """What `n` counts: the pair, item or scene to which each unit belongs."""
    positive: Booleans
    cases: Sequence[str]
    kinds: Sequence[str | None]
    design: Design
    bootstrap: Bootstrap

    def probe(
        self,
        name: str,
        learner: Learner,
        features: Matrix,
        *,
        numerals: Numerals | None = None,
        binding: bool = True,
        names: Sequence[str] = (),
    ) -> ProbeResult:
        """Fits and evaluates a probe; `names` of the features let it say which ones it looks at."""
        found = scores(learner, features, self.positive, self.design)
        largest = top_features(learner, features, self.positive, names) if names else []
        seen = ~np.isnan(found)
        groups, kinds = np.asarray(self.group)[seen], np.asarray(self.kinds, dtype=object)[seen]
        values, positive, cases = found[seen], self.positive[seen], np.asarray(self.cases)[seen]
        by_kind = {
            str(kind): auroc(values[kinds == kind], positive[kinds == kind])
            for kind in sorted({kind for kind in kinds if kind is not None})
            if (kinds == kind).sum() >= MIN_KIND_UNITS
        }
        return ProbeResult(
            self.task, self.asks, name, numerals, "auroc", self.bootstrap.auroc(values, positive, cases), 0.5,
            len(set(groups)), self.unit, self.design.words, binding, largest, by_kind,
        )  # fmt: skip
