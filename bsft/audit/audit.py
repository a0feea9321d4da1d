"""The whole audit of a corpus: structure, duplicates, naturalness and probes, held against limits or reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bsft.audit.artefacts import probe_options, probe_scenes, probe_side_by_side
from bsft.audit.complaint import probe_complaint
from bsft.audit.content import CONTENT, probe_content, probe_place
from bsft.audit.corpus import Corpus
from bsft.audit.duplicates import Duplicate, check_duplicates, distinct_scenes, find_duplicates
from bsft.audit.limits import Check, Finding, Settings, Status
from bsft.audit.naturalness import check_naturalness, naturalness
from bsft.audit.structure import check_structure
from bsft.audit.texts import Texts, View, scene
from bsft.audit.units import options_of, side_by_side, twins_of, unpaired_of
from bsft.display.progress import progress_bar

VIEWS: tuple[View, ...] = ("style", *CONTENT)


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
    rows = [
        row for units, pairs in twins for row in (*units.rows, *(p.control for p in pairs if p.control is not None))
    ]
    documents = [scene(row) for row in (*rows, *(row for units in unpaired for row in units.rows))]
    with progress_bar("probing", len(VIEWS) + len(twins) + len(unpaired) + len(choices)) as advance:
        scenes: dict[View, Texts] = {}
        for view in VIEWS if documents else ():
            scenes[view] = Texts(corpus.texts, documents, view)
            advance(1)
        for units, pairs in twins:
            yield from probe_scenes(units, corpus, scenes["style"])
            yield from probe_side_by_side(side_by_side(units), corpus, scenes["style"])
            yield from probe_content(units, pairs, scenes)
            yield from probe_place(units)
            advance(1)
        for units in unpaired:
            yield from probe_scenes(units, corpus, scenes["style"])
            yield from probe_content(units, [], scenes)
            advance(1)
        for units, places in choices:
            yield from probe_options(units, places, corpus)
            if units.kind is None and corpus.tasks[units.task].group != "proactive":
                yield from probe_complaint(units, places, corpus)
            advance(1)


def _bounded(findings: list[Finding], min_cases: int) -> list[Finding]:
    """With lower bounds that hold for all findings together that have a limit and cases enough."""
    held = [found.allowed is not None and found.estimate.n_cases >= min_cases for found in findings]
    return [
        replace(found, bound=found.estimate.lower_bound(sum(held))) if own else found
        for found, own in zip(findings, held, strict=True)
    ]
