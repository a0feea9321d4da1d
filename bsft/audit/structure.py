"""Rules that every item and every pair must keep, regardless of its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.limits import N_EXAMPLES, Check

Rule = Callable[[Corpus, CorpusItem], str | None]
"""What is wrong with an item, or None."""


def _has_clean_twin(corpus: Corpus, row: CorpusItem) -> str | None:
    if row.variant != "perturbed":
        return None
    twin = corpus.by_id.get(row.twin_id or "")
    if twin is None:
        return "has no twin"
    if twin.variant != "clean":
        return f"has a twin {twin.id} that is {twin.variant}, not clean"
    if twin.twin_id != row.id:
        return f"has a twin {twin.id} whose own twin is another"
    if (twin.task, twin.case_id, twin.split) != (row.task, row.case_id, row.split):
        return f"has a twin {twin.id} in another task, case or split"
    return None


def _differs_only_at_locus(corpus: Corpus, row: CorpusItem) -> str | None:
    twin = corpus.by_id.get(row.twin_id or "")
    if row.variant != "perturbed" or twin is None or row.locus is None:
        return None
    if row.query != twin.query or row.options != twin.options:
        return f"and its twin {twin.id} have different questions or options"
    own, theirs = _turns(row), _turns(twin)
    if own == theirs:
        return f"and its twin {twin.id} have the same scene"
    if len(own) == len(theirs):
        apart = [i for i, (a, b) in enumerate(zip(own, theirs, strict=True)) if a != b]
        return None if apart == [row.locus] else f"and its twin {twin.id} differ in turns {apart}, not {row.locus}"
    longer, shorter = (own, theirs) if len(own) > len(theirs) else (theirs, own)
    if [*longer[: row.locus], *longer[row.locus + 1 :]] == shorter:
        return None
    return f"and its twin {twin.id} differ by more than turn {row.locus}"


def _turns(row: CorpusItem) -> list[tuple[int, int]]:
    return list(zip(row.speakers, row.turns, strict=True))


def _flags_when_it_must(corpus: Corpus, row: CorpusItem) -> str | None:
    must = row.variant == "perturbed" and row.determinable is not False
    if corpus.tasks[row.task].group != "proactive" or row.flagged == must:
        return None
    return f"is {row.variant} and {'determinable' if row.determinable else 'not determinable'}, gold is {row.label}"


def _has_flag_and_other(corpus: Corpus, row: CorpusItem) -> str | None:
    flags = sum(option.flag for option in row.options)
    if flags == 0:
        return "has no option that raises a concern"
    return "has only options that raise a concern" if flags == len(row.options) else None


RULES: dict[str, tuple[Rule, str]] = {
    "twins": (_has_clean_twin, "every perturbed item has its clean twin in the same case and split"),
    "locus": (_differs_only_at_locus, "twins have the same question and options and differ only in the recorded turn"),
    "gold": (_flags_when_it_must, "gold is a flag exactly where a determinable problem was put in"),
    "flag options": (_has_flag_and_other, "every item has an option that raises a concern, and one that does not"),
}


def check_structure(corpus: Corpus) -> Iterator[Check]:
    """One check for every rule, over all items."""
    for name, (rule, statement) in RULES.items():
        wrong = [(row.id, reason) for row in corpus.rows if (reason := rule(corpus, row)) is not None]
        if not wrong:
            yield Check(name, "passed", f"{statement}: all {len(corpus.rows):,} items")
            continue
        first, reason = wrong[0]
        message = f"{statement}: {len(wrong):,} of {len(corpus.rows):,} items do not; {first} {reason}"
        yield Check(name, "broken", message, tuple(item for item, _ in wrong[:N_EXAMPLES]))
