"""How many answers the complaint alone gives away: remembered from other cases, without the rest of the scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from bsft.audit.corpus import Corpus, CorpusItem
from bsft.audit.learners import linear_learner
from bsft.audit.limits import Finding
from bsft.audit.units import Units
from bsft.stats.arrays import Booleans, Floats, Integers


def complaint(row: CorpusItem, texts: Sequence[str]) -> str:
    """The first turn that asks nothing: whoever presents the patient says why they came."""
    turns = [texts[place] for place in row.turns]
    return next((text for text in turns if not text.rstrip().endswith("?")), turns[0])


def probe_complaint(units: Units, places: Sequence[int], corpus: Corpus) -> Iterator[Finding]:
    """Accuracy over the items of an answering task; units are the options of an item among which one is right.

    An option is judged by three numbers: how like the complaint is to that of another case in which its text was right,
    the same where it was wrong, and how many words it shares with the complaint.
    """
    items = list({row.id: row for row in units.rows}.values())
    place_of = {row.id: n for n, row in enumerate(items)}
    owner = np.array([place_of[row.id] for row in units.rows])
    texts = np.array([row.options[i].text for row, i in zip(units.rows, places, strict=True)])
    weigh = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True)
    complaints = weigh.fit_transform([complaint(row, corpus.texts) for row in items])
    cases = np.array([row.case_id for row in items])
    alike = np.where(cases[:, None] == cases, 0.0, (complaints @ complaints.T).toarray())
    options = weigh.transform([corpus.texts[text] for text in texts])
    shared = np.asarray(complaints[owner].multiply(options).sum(1)).ravel()
    remembered = [_remembered(alike, owner, texts, units.positive == right) for right in (True, False)]
    scores = units.scores(linear_learner, np.stack([*remembered, shared], axis=1))
    yield from units.accuracy("complaint line", scores, owner)


def _remembered(alike: Floats, owner: Integers, texts: Integers, among: Booleans) -> Floats:
    """For each option, how like its complaint is to the most similar one beside the same text, among some options."""
    best = np.zeros(len(owner))
    for text in np.unique(texts):
        here = np.flatnonzero(texts == text)
        others = owner[here[among[here]]]
        if len(others):
            best[here] = alike[np.ix_(owner[here], others)].max(1)
    return best
