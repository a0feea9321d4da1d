"""Checks without probes: rules that items keep regardless of their words, duplicates across splits, naturalness."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.limits import N_EXAMPLES, Check, Limits, Status
from bsft.display.progress import progress_bar
from bsft.importing.near_duplicates import shingles, similar_sets, words
from bsft.records.numerals import mask_numerals

Rule = Callable[[Corpus, CorpusItem], str | None]
"""What is wrong with an item, or None."""

_SHINGLE_WORDS = 3
N_CASES = 600
"""Cases of `train` that are looked at, the first ones."""
N_TOKENS = 25_000
"""Shares of repeated n-grams grow with the text, so that they are comparable only over about as much of it."""

_NUMBER = re.compile(r"\d[\d.,:/]*")
_TOKEN = re.compile(r"[a-z]+|<n>|[?.!,;:]")


# --- structure ---


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


# --- duplicates: scenes of different splits that share most of their word triples ---


@dataclass(frozen=True)
class Duplicate:
    """The two most similar items of two cases in different splits."""

    first: str
    first_split: str
    second: str
    second_split: str
    jaccard: float
    exact: bool
    """The same but for numerals, case and punctuation."""


def find_duplicates(corpus: Corpus, max_jaccard: float) -> list[Duplicate]:
    """Pairs of cases in different splits whose scenes share more of their word triples, most similar first."""

    @cache
    def of_turn(place: int) -> frozenset[str]:
        return shingles(mask_numerals(corpus.texts[place]), _SHINGLE_WORDS)

    def all_words(item: CorpusItem) -> list[str]:
        return [word for place in item.turns for word in words(mask_numerals(corpus.texts[place]))]

    items = [item for split in corpus.splits for item in distinct_scenes(corpus, split)]
    sets = (frozenset[str]().union(*map(of_turn, item.turns)) for item in items)
    best: dict[tuple[str, str], Duplicate] = {}
    splits = [item.split for item in items]
    with progress_bar("comparing scenes", len(items)) as advance:
        similar = list(similar_sets(sets, max_jaccard, "of both", groups=splits, advance=advance))
    for i, j, share in similar:
        first, second = items[i], items[j]
        cases = first.case_id, second.case_id
        if share > max_jaccard and (cases not in best or share > best[cases].jaccard):
            exact = share == 1 and all_words(first) == all_words(second)
            best[cases] = Duplicate(first.id, first.split, second.id, second.split, share, exact)
    return sorted(best.values(), key=lambda found: (-found.jaccard, found.first, found.second))


def distinct_scenes(corpus: Corpus, split: str) -> list[CorpusItem]:
    """The split's items, without those that repeat the scene of an earlier one."""
    return list({item.turns: item for item in reversed(corpus.rows) if item.split == split}.values())[::-1]


def check_duplicates(duplicates: list[Duplicate], max_jaccard: float) -> Check:
    """Whether there are none, and what was found."""
    rule = f"scenes of different splits share at most {max_jaccard:.0%} of their word triples"
    if not duplicates:
        return Check("duplicates", "passed", f"{rule}: no pair shares more")
    first = duplicates[0]
    found = (
        f"{rule}: {len(duplicates):,} pairs of cases share more, {sum(d.exact for d in duplicates):,} of them all; "
        f"{first.first} ({first.first_split}) and {first.second} ({first.second_split}) share {first.jaccard:.0%}"
    )
    return Check("duplicates", "broken", found, tuple(f"{d.first} = {d.second}" for d in duplicates[:N_EXAMPLES]))


# --- naturalness: how often scenes repeat themselves, and how often somebody asks ---


@dataclass(frozen=True)
class Naturalness:
    """Shares.

    Attributes:
        distinct_4: of all 4-grams, how many are different ones.
        repeated_8: of all 8-grams, how many occur in another document, too.
        asking: of all turns, how many ask.
    """

    distinct_4: float
    repeated_8: float
    asking: float


def naturalness(corpus: Corpus) -> Naturalness:
    """Over one proactive scene per case (any where there is none), numbers masked; turns are those of all items."""
    rows = [row for row in corpus.rows if row.split == "train"] or corpus.rows
    cases = set(islice(dict.fromkeys(row.case_id for row in rows), N_CASES))
    rows = [row for row in rows if row.case_id in cases]
    proactive = set(corpus.groups("proactive"))
    chosen: dict[str, CorpusItem] = {}
    for row in rows:
        if not proactive or row.task in proactive:
            chosen.setdefault(row.case_id, row)
    scenes = ["\n".join(corpus.texts[place] for place in row.turns) for row in chosen.values()]
    random.Random(0).shuffle(scenes)
    documents = list(_first(scenes))
    fours = [gram for document in documents for gram in _grams(document, 4)]
    eights = [gram for document in documents for gram in _grams(document, 8)]
    found_in = Counter(gram for document in documents for gram in set(_grams(document, 8)))
    turns = [corpus.texts[place] for row in rows for place in row.turns]
    return Naturalness(
        len(set(fours)) / max(len(fours), 1),
        sum(found_in[gram] > 1 for gram in eights) / max(len(eights), 1),
        sum("?" in turn for turn in turns) / len(turns),
    )


def check_naturalness(found: Naturalness, limits: Limits) -> Iterator[Check]:
    """Held against the limits, or reported beside them."""

    def check(name: str, value: float, allowed: str, *, holds: bool) -> Check:
        status: Status = "reported" if not limits.bound_to_prose else "passed" if holds else "broken"
        return Check(name, status, f"{value:.3f}, allowed: {allowed}")

    four, eight, asking = limits.min_distinct_4, limits.max_repeated_8, limits.min_asking
    yield check("distinct 4-grams", found.distinct_4, f"at least {four:g}", holds=found.distinct_4 >= four)
    yield check("8-grams seen elsewhere", found.repeated_8, f"at most {eight:g}", holds=found.repeated_8 <= eight)
    yield check("turns that ask", found.asking, f"at least {asking:g}", holds=found.asking >= asking)


def _first(scenes: Sequence[str]) -> Iterator[list[str]]:
    """Scenes as tokens, up to the one with which there would be too many."""
    n_tokens = 0
    for scene in scenes:
        tokens = _TOKEN.findall(_NUMBER.sub("<n>", scene.lower()))
        n_tokens += len(tokens)
        if n_tokens > N_TOKENS:
            return
        yield tokens


def _grams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
