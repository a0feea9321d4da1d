"""What probes are asked about: units of a kind of problem or of a task, each of which is positive or not.

A probe is fitted and evaluated by cross-validation, never on the same case.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from bsft.audit.corpus import Corpus, CorpusItem, Pair
from bsft.audit.limits import Finding, Settings
from bsft.stats.bootstrap import Bootstrap
from bsft.stats.measures import Booleans, Floats, Integers

N_FOLDS = 5
Matrix = csr_matrix | NDArray[Any]
Learner = Callable[[], Pipeline]


@dataclass(frozen=True)
class Units:
    """Items, options of items, or turns of items.

    Attributes:
        task: their task.
        kind: the kind of problem, None where the task has none.
        rows: the item of each unit.
        positive: whether the unit is what the probe looks for.
        settings: of the audit.
    """

    task: str
    kind: str | None
    rows: Sequence[CorpusItem]
    positive: Booleans
    settings: Settings

    @cached_property
    def cases(self) -> list[str]:
        return [row.case_id for row in self.rows]

    @cached_property
    def _folds(self) -> list[tuple[Integers, Integers]]:
        """Units to fit on, units to evaluate on; none where there are fewer than two cases."""
        n_folds = min(N_FOLDS, len(set(self.cases)))
        return [] if n_folds < 2 else list(GroupKFold(n_folds).split(self.rows, groups=np.asarray(self.cases)))

    def scores(self, learner: Learner, features: Matrix, fit_on: Booleans | None = None) -> Floats:
        """Probabilities by models fitted on the other folds (on some of their units); NaN where none can be."""
        values = np.full(len(self.rows), np.nan)
        for others, held in self._folds:
            own = others if fit_on is None else others[fit_on[others]]
            if len(np.unique(self.positive[own])) == 2:
                pipeline = learner()
                with warnings.catch_warnings():
                    # few features and constant ones are ordinary here: twins have the same request and options
                    warnings.simplefilter("ignore", UserWarning)
                    pipeline.fit(features[own], self.positive[own])
                values[held] = pipeline.predict_proba(features[held])[:, 1]
        return values

    def areas(self, probe: str, scores: Floats, among: Booleans | None = None, *, limited: bool) -> Iterator[Finding]:
        """The area under the curve of the scores, for all levels and for each."""
        known = ~np.isnan(scores) & (np.True_ if among is None else among)
        for level, own in self._levels(known):
            positive = self.positive[own]
            if positive.any() and not positive.all():
                estimate = self._bootstrap.auroc(scores[own], positive, np.asarray(self.cases)[own])
                allowed = self.settings.limits.max_auroc if limited else None
                yield Finding(probe, self.task, self.kind, level, "AUROC", estimate, int(own.sum()), allowed)

    def paired(self, probe: str, scores: Floats) -> Iterator[Finding]:
        """How often a problem scores above its own twin; units are all problems, then their twins in the same order."""
        for level, own in self._levels(~np.isnan(scores)):
            problems, twins = np.split(scores[own], 2)
            estimate = self._bootstrap.paired_auc(problems, twins, np.asarray(self.cases)[own][: len(problems)])
            allowed = self.settings.limits.max_auroc
            yield Finding(probe, self.task, self.kind, level, "paired AUC", estimate, len(problems), allowed)

    def accuracy(self, probe: str, scores: Floats, owner: Integers) -> Iterator[Finding]:
        """How often the unit with the highest score is the positive one of its item; equals share what they win."""
        limits = self.settings.limits
        best = np.full(owner.max() + 1, -np.inf)
        np.maximum.at(best, owner, scores)
        chosen = scores == best[owner]
        won = np.bincount(owner, chosen & self.positive) / np.maximum(np.bincount(owner, chosen), 1)
        first = np.unique(owner, return_index=True)[1]
        for level, own in self._levels(~np.isnan(scores)):
            units = first[own[first]]
            estimate = self._bootstrap.mean(won[owner[units]], np.asarray(self.cases)[units])
            allowed = limits.max_complaint_accuracy if limits.bound_to_prose else None
            yield Finding(probe, self.task, self.kind, level, "accuracy", estimate, len(units), allowed)

    @property
    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(self.settings.n_bootstrap, self.settings.seed)

    def _levels(self, known: Booleans) -> Iterator[tuple[int | None, Booleans]]:
        """Which units are of a level, of all levels first; nothing where there is no unit."""
        levels = np.array([row.level or 0 for row in self.rows])
        if known.any():
            yield None, known
            yield from ((int(level), known & (levels == level)) for level in np.unique(levels[known]) if level)


def twins_of(corpus: Corpus, settings: Settings) -> Iterator[tuple[Units, list[Pair]]]:
    """Kinds of problem: units are perturbed, clean, perturbed ..., and the pairs are those that they belong to."""
    for task in corpus.groups("proactive"):
        for kind, pairs in corpus.pairs(task).items():
            own = [pairs[i] for i in _drawn([pair.perturbed for pair in pairs], settings)]
            rows = [row for pair in own for row in (pair.perturbed, pair.clean)]
            yield Units(task, kind, rows, np.tile([True, False], len(own)), settings), own


def side_by_side(units: Units) -> Units:
    """Twins in another order: all problems, then all clean ones."""
    rows = [*units.rows[0::2], *units.rows[1::2]]
    return Units(units.task, units.kind, rows, np.arange(len(rows)) < len(rows) // 2, units.settings)


def unpaired_of(corpus: Corpus, settings: Settings) -> Iterator[Units]:
    """Proactive tasks without twins: all their items, of which some need a flag."""
    for task in corpus.groups("proactive"):
        if not corpus.pairs(task):
            rows = corpus.of_task(task)
            rows = [rows[i] for i in _drawn(rows, settings)]
            yield Units(task, None, rows, np.array([row.flagged for row in rows], dtype=bool), settings)


def options_of(corpus: Corpus, settings: Settings) -> Iterator[tuple[Units, list[int]]]:
    """The options among which a right one is looked for, and their places in their items.

    Where no concern is right, all other options of an item are units. Where one is, the units are the concerns with the
    same label: the real ones and those that other problems' items have for a distractor, so that what tells them apart
    is not how often a label is right.
    """
    for task in corpus.tasks:
        rows = corpus.of_task(task)
        flagged, calm = [row for row in rows if row.flagged], [row for row in rows if not row.flagged]
        for label in sorted({row.label for row in flagged}):
            kinds = sorted({row.kind for row in flagged if row.label == label and row.kind is not None})
            units = [(row, i) for row in flagged for i, option in enumerate(row.options) if option.label == label]
            yield from _options(task, ", ".join(kinds) or label, units, settings)
        units = [(row, i) for row in calm for i in alternatives(row)]
        yield from _options(task, None, units, settings)


def _options(
    task: str, kind: str | None, units: list[tuple[CorpusItem, int]], settings: Settings
) -> Iterator[tuple[Units, list[int]]]:
    if kind is None:
        units = [units[i] for i in _drawn([row for row, _ in units], settings)]
    else:
        parts = ([(row, i) for row, i in units if (i == row.gold) == right] for right in (True, False))
        units = [part[i] for part in parts for i in _drawn([row for row, _ in part], settings)]
    right = np.array([i == row.gold for row, i in units], dtype=bool)
    if right.any() and not right.all():
        yield Units(task, kind, [row for row, _ in units], right, settings), [i for _, i in units]


def alternatives(row: CorpusItem) -> list[int]:
    """Indices of the options to choose among: the flags where gold is a flag, the other options elsewhere."""
    return [i for i, option in enumerate(row.options) if option.flag == row.flagged]


def _drawn(rows: Sequence[CorpusItem], settings: Settings) -> list[int]:
    """Indices of the rows of at most `max_cases` cases, as far as possible the same for all kinds and tasks."""
    order = sorted({row.case_id for row in rows}, key=lambda case: random.Random(f"{settings.seed} {case}").random())
    chosen = set(order[: settings.max_cases])
    return [i for i, row in enumerate(rows) if row.case_id in chosen]
