"""The whole audit of a corpus: structure, duplicates, naturalness and probes, held against limits or reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from bsft.audit import probes
from bsft.audit.corpus import Corpus
from bsft.audit.describe import TaskCounts, TwinLengths, count_task, twin_lengths
from bsft.audit.duplicates import Duplicate, check_duplicates, distinct_scenes, find_duplicates
from bsft.audit.limits import Check, Finding, Settings, Status
from bsft.audit.naturalness import check_naturalness, naturalness
from bsft.audit.structure import check_structure
from bsft.audit.texts import Texts, View, scene
from bsft.audit.units import options_of, side_by_side, twins_of, unpaired_of
from bsft.display.progress import progress_bar

VIEWS: tuple[View, ...] = ("style", *probes.CONTENT)


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    corpus: Corpus
    settings: Settings
    findings: list[Finding]
    duplicates: list[Duplicate]
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
    n_scenes = sum(len(distinct_scenes(corpus, split)) for split in corpus.splits)
    with progress_bar("comparing scenes", n_scenes) as advance:
        duplicates = find_duplicates(corpus, limits.max_jaccard, advance)
    checks = [
        *check_structure(corpus),
        check_duplicates(duplicates, limits.max_jaccard),
        *check_naturalness(naturalness(corpus), limits),
    ]
    return Audit(corpus, settings, _bounded(list(_probe(corpus, settings)), limits.min_cases), duplicates, checks)


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
