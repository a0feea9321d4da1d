"""How natural a benchmark's scenes read: how often they repeat themselves, and how often somebody asks."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.limits import Check, Limits, Status

N_CASES = 600
"""Cases of `train` that are looked at, the first ones."""
N_TOKENS = 25_000
"""Shares of repeated n-grams grow with the text, so that they are comparable only over about as much of it."""

_NUMBER = re.compile(r"\d[\d.,:/]*")
_TOKEN = re.compile(r"[a-z]+|<n>|[?.!,;:]")


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
