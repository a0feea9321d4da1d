"""The whole audit of a corpus: structure, duplicates, probes and policies, each held against its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bsft.audit.choices import choices_of, probe_option_texts, probe_positions
from bsft.audit.corpus import Corpus
from bsft.audit.duplicates import Duplicate, distinct_scenes, find_duplicates
from bsft.audit.labels import probe_labels
from bsft.audit.limits import Check, Limits, Settings
from bsft.audit.policies import PolicyScore, try_policies
from bsft.audit.probes import count_scenes, probe_all_items, probe_places, probe_texts, twins_of
from bsft.audit.probing import ProbeResult
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
    probes: list[ProbeResult]
    policy_scores: list[PolicyScore]
    duplicates: list[Duplicate]
    checks: list[Check]

    @property
    def passed(self) -> bool:
        return not any(check.status == "broken" for check in self.checks)


def audit(corpus: Corpus, settings: Settings) -> Audit:
    """Audits a corpus. Structure, duplicates and policies cover every item, probes at most `max_pairs` per split."""
    limits = settings.limits
    bootstrap = Bootstrap(settings.n_bootstrap, settings.seed)
    duplicates = _find_duplicates(corpus, limits)
    scores: list[PolicyScore] = []
    with progress_bar("trying naive policies", len(corpus.tasks)) as advance:
        for task in corpus.tasks:
            scores += try_policies(corpus, task, bootstrap)
            advance(1)
    probes = list(_probe(corpus.sampled(settings.max_pairs, settings.seed), limits.min_pairs, bootstrap))
    checks = [
        *check_structure(corpus, limits),
        _check_duplicates(duplicates, limits),
        *(_check_policy(score, limits) for score in scores),
        *(_check_probe(probe, limits) for probe in probes if probe.binding and probe.numerals != "shown"),
    ]
    return Audit(corpus, settings, probes, scores, duplicates, checks)


def _find_duplicates(corpus: Corpus, limits: Limits) -> list[Duplicate]:
    n_scenes = sum(len(distinct_scenes(corpus, split)) for split in corpus.splits)
    with progress_bar("comparing scenes", n_scenes) as advance:
        return find_duplicates(corpus, limits.max_jaccard, advance)


def _probe(corpus: Corpus, min_test: int, bootstrap: Bootstrap) -> Iterator[ProbeResult]:
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


def _check_probe(probe: ProbeResult, limits: Limits) -> Check:
    found = f"{probe.asks} from {probe.name}: AUROC {probe.estimate} on {probe.n:,} {probe.unit}"
    return _held("probe", probe, found, limits.max_auroc, limits)


def _check_policy(score: PolicyScore, limits: Limits) -> Check:
    metric = "macro-F1" if score.metric == "macro_f1" else "accuracy"
    found = f"{score.policy}: {metric} {score.estimate} on {score.n:,} items"
    return _held("policy", score, found, limits.max_naive_score, limits)


def _held(name: str, judged: ProbeResult | PolicyScore, found: str, allowed: float, limits: Limits) -> Check:
    status = limits.status(judged.estimate.low, allowed, judged.n)
    rule = f"allowed: a lower bound up to {allowed:g}"
    if status == "not checked":
        rule = f"too few to judge, {limits.min_pairs:,} needed"
    return Check(name, judged.task, status, f"{found}; {rule}")


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
