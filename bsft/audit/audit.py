"""The whole audit of a corpus: structure, duplicates, probes and policies, each held against its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bsft.audit.choices import choices_of, probe_option_texts, probe_positions
from bsft.audit.corpus import Corpus
from bsft.audit.duplicates import Duplicate, distinct_scenes, find_duplicates
from bsft.audit.labels import probe_labels
from bsft.audit.limits import Check, Limits, Settings, Status
from bsft.audit.policies import PolicyScore, try_policies
from bsft.audit.probes import count_scenes, probe_all_items, probe_places, probe_texts, twins_of
from bsft.audit.puzzles import Probe
from bsft.audit.structure import N_EXAMPLES, check_structure
from bsft.audit.texts import Numerals
from bsft.display.progress import progress_bar
from bsft.stats.bootstrap import Bootstrap

ALL_NUMERALS: tuple[Numerals, ...] = ("masked", "shown")


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    corpus: Corpus
    settings: Settings
    probes: list[Probe]
    outcomes: list[PolicyScore]
    duplicates: list[Duplicate]
    checks: list[Check]

    @property
    def passed(self) -> bool:
        return not any(check.status == "broken" for check in self.checks)


def audit(corpus: Corpus, settings: Settings) -> Audit:
    """Audits a corpus. Structure, duplicates and policies cover every item, probes at most `max_pairs` a split."""
    limits = settings.limits
    bootstrap = Bootstrap(settings.n_bootstrap, settings.seed)
    duplicates = _find_duplicates(corpus, limits)
    outcomes: list[PolicyScore] = []
    with progress_bar("trying naive policies", len(corpus.tasks)) as advance:
        for task in corpus.tasks:
            outcomes += try_policies(corpus, task, bootstrap)
            advance(1)
    probes = list(_probe(corpus.sampled(settings.max_pairs, settings.seed), limits.min_pairs, bootstrap))
    checks = [
        *check_structure(corpus, limits),
        _check_duplicates(duplicates, limits),
        *(_check_policy(outcome, limits) for outcome in outcomes),
        *(_check_probe(probe, limits) for probe in probes if probe.binding and probe.numerals != "shown"),
    ]
    return Audit(corpus, settings, probes, outcomes, duplicates, checks)


def _find_duplicates(corpus: Corpus, limits: Limits) -> list[Duplicate]:
    n_scenes = sum(len(distinct_scenes(corpus, split)) for split in corpus.splits)
    with progress_bar("comparing scenes", n_scenes) as advance:
        return find_duplicates(corpus, limits.max_jaccard, advance)


def _probe(corpus: Corpus, min_test: int, bootstrap: Bootstrap) -> Iterator[Probe]:
    """All probes of all tasks; first those that see no text, then the others with numerals masked, then shown."""
    twins = {task: twins_of(corpus, task, min_test, bootstrap) for task in corpus.groups("proactive")}
    choices = {task: choices_of(corpus, task, min_test, bootstrap) for task in corpus.tasks}
    with progress_bar("probing", (1 + len(ALL_NUMERALS)) * len(corpus.tasks)) as advance:
        for task, spec in corpus.tasks.items():
            if (own_twins := twins.get(task)) is not None:
                yield from probe_places(own_twins)
            if (own_choices := choices[task]) is not None:
                yield from probe_positions(own_choices, labels=spec.metric == "macro_f1")
            advance(1)
        for numerals in ALL_NUMERALS:
            scenes = count_scenes(corpus, numerals)
            for task, spec in corpus.tasks.items():
                if (own_twins := twins.get(task)) is not None:
                    yield from probe_texts(own_twins, corpus, scenes, numerals)
                    yield from probe_all_items(corpus, task, scenes["words"], numerals, min_test, bootstrap)
                if (own_choices := choices[task]) is not None:
                    yield from probe_option_texts(own_choices, corpus, numerals)
                if spec.metric == "macro_f1":
                    yield from probe_labels(corpus, task, scenes["words"], numerals, min_test, bootstrap)
                advance(1)


def _check_probe(probe: Probe, limits: Limits) -> Check:
    found = f"{probe.asks} from {probe.name}: AUROC {probe.estimate} on {probe.n:,} {probe.unit}"
    return _held("probe", probe.task, found, probe.n, probe.estimate.low, limits.max_auroc, limits.min_pairs)


def _check_policy(outcome: PolicyScore, limits: Limits) -> Check:
    metric = "macro-F1" if outcome.metric == "macro_f1" else "accuracy"
    found = f"{outcome.policy}: {metric} {outcome.estimate} on {outcome.n:,} items"
    return _held(
        "policy", outcome.task, found, outcome.n, outcome.estimate.low, limits.max_naive_score, limits.min_pairs
    )


def _held(name: str, task: str, found: str, n: int, low: float, allowed: float, min_n: int) -> Check:
    """An interval's lower bound against its limit, where there are enough units to judge."""
    if n < min_n:
        return Check(name, task, "not checked", f"{found}; too few to judge, {min_n:,} needed")
    status: Status = "broken" if low > allowed else "passed"
    return Check(name, task, status, f"{found}; allowed: a lower bound up to {allowed:g}")


def _check_duplicates(duplicates: list[Duplicate], limits: Limits) -> Check:
    rule = f"scenes of different splits share at most {limits.max_jaccard:.0%} of their word triples"
    if not duplicates:
        return Check("duplicates", "all items", "passed", f"{rule}: no pair shares more")
    first = duplicates[0]
    message = (
        f"{rule}: {len(duplicates):,} pairs of cases share more, {sum(d.exact for d in duplicates):,} of them all; "
        f"{first.first} ({first.first_split}) and {first.second} ({first.second_split}) share {first.jaccard:.0%}"
    )
    examples = tuple(f"{d.first} = {d.second}" for d in duplicates[:N_EXAMPLES])
    return Check("duplicates", "all items", "broken", message, examples)
