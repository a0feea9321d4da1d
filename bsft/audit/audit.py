"""The whole audit of a corpus: structure, duplicates, naturalness and probes, held against limits or reported."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bsft.audit import checks, probes
from bsft.audit.corpus import Corpus, CorpusItem, Texts, View, scene
from bsft.audit.limits import Check, Finding, Settings, Status
from bsft.audit.units import options_of, side_by_side, twins_of, unpaired_of
from bsft.display.progress import progress_bar

VIEWS: tuple[View, ...] = ("style", *probes.CONTENT)


@dataclass(frozen=True)
class TaskCounts:
    """Counts of one task's items.

    Attributes:
        task: its name.
        splits: split -> items.
        labels: gold label -> items.
        variants: plain, perturbed, clean, distractor -> items.
        undeterminable: perturbed items whose problem cannot be determined.
        kinds: kind of perturbation -> perturbed items.
        loci: role of the speaker whose turn was edited -> perturbed items.
        last_turn: perturbed items whose edited turn is the last.
    """

    task: str
    splits: dict[str, int]
    labels: dict[str, int]
    variants: dict[str, int]
    undeterminable: int
    kinds: dict[str, int]
    loci: dict[str, int]
    last_turn: int


@dataclass(frozen=True)
class TwinLengths:
    """Characters of a task's twins, in the order of its pairs."""

    task: str
    perturbed: list[int]
    clean: list[int]

    @property
    def mean_difference(self) -> float:
        return float(np.mean(self.perturbed) - np.mean(self.clean))


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    corpus: Corpus
    settings: Settings
    findings: list[Finding]
    duplicates: list[checks.Duplicate]
    checks: list[Check]

    @property
    def passed(self) -> bool:
        return "broken" not in self.statuses

    @property
    def statuses(self) -> list[Status]:
        """Of all rules and all findings."""
        return [check.status for check in self.checks] + [found.status for found in self.findings]

    @property
    def n_comparisons(self) -> int:
        """Findings that were held against a limit."""
        return sum(found.bound is not None for found in self.findings)

    @cached_property
    def counts(self) -> list[TaskCounts]:
        """Of every task."""
        return [count_task(self.corpus, task) for task in self.corpus.tasks]

    @cached_property
    def lengths(self) -> list[TwinLengths]:
        """Of the tasks that have twins."""
        return [twin_lengths(self.corpus, t) for t in self.corpus.groups("proactive") if self.corpus.pairs(t)]


def audit(corpus: Corpus, settings: Settings) -> Audit:
    """Audits a corpus. Structure and duplicates cover every item, probes at most `max_cases` of a kind or a task."""
    limits = settings.limits
    duplicates = checks.find_duplicates(corpus, limits.max_jaccard)
    rules = [
        *checks.check_structure(corpus),
        checks.check_duplicates(duplicates, limits.max_jaccard),
        *checks.check_naturalness(checks.naturalness(corpus), limits),
    ]
    return Audit(corpus, settings, _bounded(list(_probe(corpus, settings)), limits.min_cases), duplicates, rules)


def _probe(corpus: Corpus, settings: Settings) -> Iterator[Finding]:
    twins, unpaired = list(twins_of(corpus, settings)), list(unpaired_of(corpus, settings))
    choices = list(options_of(corpus, settings))
    rows = [row for units in (*(own for own, _ in twins), *unpaired) for row in units.rows]
    rows += [pair.control for _, pairs in twins for pair in pairs if pair.control is not None]
    documents = [scene(row) for row in rows]
    with progress_bar("probing", len(VIEWS) + len(twins) + len(unpaired) + len(choices)) as advance:
        scenes: dict[View, Texts] = {}
        for view in VIEWS if documents else ():
            scenes[view] = Texts(corpus.texts, documents, view)
            advance(1)
        for units, pairs in twins:
            yield from probes.of_scenes(units, corpus, scenes["style"])
            yield from probes.of_twins(side_by_side(units), corpus, scenes["style"])
            yield from probes.of_content(units, pairs, scenes)
            yield from probes.of_place(units)
            advance(1)
        for units in unpaired:
            yield from probes.of_scenes(units, corpus, scenes["style"])
            yield from probes.of_content(units, [], scenes)
            advance(1)
        for units, places in choices:
            yield from probes.of_options(units, places, corpus)
            if units.kind is None and corpus.tasks[units.task].group != "proactive":
                yield from probes.of_complaint(units, places, corpus)
            advance(1)


def _bounded(findings: list[Finding], min_cases: int) -> list[Finding]:
    """With lower bounds that hold for all findings together that have a limit and cases enough."""
    held = [found.allowed is not None and found.estimate.n_cases >= min_cases for found in findings]
    return [
        replace(found, bound=found.estimate.lower_bound(sum(held))) if own else found
        for found, own in zip(findings, held, strict=True)
    ]


def count_task(corpus: Corpus, task: str) -> TaskCounts:
    """Counts over all items of a task."""
    rows = corpus.of_task(task)
    edited = [(row, row.locus) for row in rows if row.locus is not None]
    return TaskCounts(
        task=task,
        splits=_counted(row.split for row in rows),
        labels=dict(sorted(_counted(row.label for row in rows).items())),
        variants=_counted(row.variant for row in rows),
        undeterminable=sum(row.determinable is False for row in rows),
        kinds=dict(sorted(_counted(row.kind for row in rows if row.kind is not None).items())),
        loci=_counted(row.roles[locus] for row, locus in edited if locus < len(row.roles)),
        last_turn=sum(locus == len(row.turns) - 1 for row, locus in edited),
    )


def twin_lengths(corpus: Corpus, task: str) -> TwinLengths:
    """Lengths of both twins of every pair."""

    def characters(row: CorpusItem) -> int:
        return sum(len(corpus.texts[place]) for place in scene(row))

    pairs = [pair for own in corpus.pairs(task).values() for pair in own]
    return TwinLengths(task, [characters(p.perturbed) for p in pairs], [characters(p.clean) for p in pairs])


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
