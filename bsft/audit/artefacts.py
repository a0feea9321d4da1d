"""Probes of artefacts, of which no model may make use: nothing that they see can rightly give the answer away.

Of twins: how long the scene is, how it is said, and both for the two twins side by side. Of everything but the scene:
the request and the options. Of options: place, order, length and text of the right one, and policies that never read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from os.path import commonprefix

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.learners import category_learner, difference_learner, differences, size_learner, text_learner
from bsft.audit.limits import Finding
from bsft.audit.texts import Texts, request_and_options, scene, size
from bsft.audit.units import Units, alternatives
from bsft.stats.arrays import Floats
from bsft.stats.policies import SURFACE_POLICIES, Policy, Question, TrainingCounts


def probe_scenes(units: Units, corpus: Corpus, styles: Texts) -> Iterator[Finding]:
    """Does an item need a flag, from the length and the style of its scene, or from everything else?"""
    scenes = [scene(row) for row in units.rows]
    lengths = np.array([size(corpus.texts, document) for document in scenes])
    yield from units.areas("scene length", units.scores(size_learner, lengths), limited=True)
    yield from units.areas("scene style", units.scores(text_learner, styles.counts(scenes)), limited=True)
    rest = [request_and_options(row) for row in units.rows]
    counts = Texts(corpus.texts, rest, "words and numbers").counts(rest)
    yield from units.areas("request and options", units.scores(text_learner, counts), limited=True)


def probe_side_by_side(twins: Units, corpus: Corpus, styles: Texts) -> Iterator[Finding]:
    """Which of two twins is the one with the problem, from the differences in length and style?

    Args:
        twins: all problems, then their clean twins in the same order.
    """
    scenes = [scene(row) for row in twins.rows]
    lengths = np.array([size(corpus.texts, document) for document in scenes])
    # weighted by the frequencies in all twins, which know nothing of labels
    style = TfidfTransformer(norm=None).fit_transform(styles.counts(scenes))
    for name, features in (("twins' lengths", lengths), ("twins' style", style)):
        yield from twins.paired(name, twins.scores(difference_learner, differences(features)))


def probe_options(units: Units, places: Sequence[int], corpus: Corpus) -> Iterator[Finding]:
    """Is an option the right one, without the case? From its place, its neighbours, its length, its text, a policy."""
    options = list(zip(units.rows, places, strict=True))
    named = bool(corpus.tasks[units.task].labels)
    seen = {
        "option position": (category_learner, np.array([[str(i), str(len(row.options))] for row, i in options])),
        "option order": (category_learner, np.array([_order(row, i, corpus.texts, named=named) for row, i in options])),
        "option length": (size_learner, np.array([_lengths(row, i, corpus.texts) for row, i in options])),
    }
    for name, (learner, features) in seen.items():
        yield from units.areas(name, units.scores(learner, features), limited=True)
    own = [_own_text(row, i, corpus.texts) for row, i in options]
    documents = [(i,) for i in range(len(own))]
    counts = Texts(own, documents, "words and numbers").counts(documents)
    yield from units.areas("option text", units.scores(text_learner, counts), limited=True)
    for name, policy in SURFACE_POLICIES.items():
        yield from units.areas(name.replace("_", " "), _choices(units, places, corpus, policy), limited=True)


def _order(row: CorpusItem, place: int, texts: Sequence[str], *, named: bool) -> list[str]:
    """What stands before and after an option (its label where this is not rightness), and its place in the alphabet."""

    def name(i: int) -> str:
        if not 0 <= i < len(row.options):
            return "nothing"
        option = row.options[i]
        return option.label if named else "concern" if option.flag else "answer"

    own = texts[row.options[place].text]
    before = sum(texts[row.options[i].text] < own for i in alternatives(row))
    return [name(place - 1), name(place + 1), str(before)]


def _own_text(row: CorpusItem, place: int, texts: Sequence[str]) -> str:
    """An option without the words that all alternatives begin with: they tell of the case, and no option from another.

    Which kinds of problem a case can have depends on its illness, which a reply to the request may name.
    """
    shared = commonprefix([texts[row.options[i].text] for i in alternatives(row)])  # noqa: RUF071  (of texts, not of paths)
    return texts[row.options[place].text][shared.rfind(" ") + 1 :]


def _lengths(row: CorpusItem, place: int, texts: Sequence[str]) -> list[float]:
    """Characters, the same less the mean of the alternatives, and how many alternatives are shorter."""
    own = [float(len(texts[row.options[i].text])) for i in alternatives(row)]
    length = len(texts[row.options[place].text])
    return [length, length - sum(own) / len(own), float(sum(other < length for other in own))]


def _choices(units: Units, places: Sequence[int], corpus: Corpus, policy: Policy) -> Floats:
    """1 where a policy that sees only the alternatives takes the option, else 0."""
    training = [row for row in corpus.of_task(units.task) if row.split == "train"] or units.rows
    positions = Counter(alternatives(row).index(row.gold) for row in training)
    counts = TrainingCounts(Counter(row.label for row in training), positions)
    taken = []
    for row, place in zip(units.rows, places, strict=True):
        own = alternatives(row)
        characters = [len(corpus.texts[row.options[i].text]) for i in own]
        chosen = policy(Question(row.id, [row.options[i] for i in own], characters), counts)
        taken.append(float(own[chosen] == place))
    return np.array(taken)
