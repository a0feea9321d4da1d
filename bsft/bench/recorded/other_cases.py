"""The other cases of a split, from which distractors come: never one that might fit this case as well."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from bsft.bench.left_out import LeftOut
from bsft.bench.recorded.case import RecordedCase
from bsft.bench.recorded.naming import name_words, names


class OtherCases:
    """The cases of one split.

    Distractors for a case come from the half of the others whose records share least of their words with its own:
    another name of the same disease, or a close relative of it, stands in a similar record.
    """

    def __init__(self, cases: Sequence[RecordedCase]) -> None:
        self.cases = cases
        self._used: Counter[str] = Counter()

    @cached_property
    def _similarity(self) -> NDArray[np.float64]:
        """`(n, n)`: cosine of the records' TF-IDF vectors."""
        texts = [" ".join(fact.text for fact in case.shown_facts) for case in self.cases]
        vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts)
        similarity: NDArray[np.float64] = (vectors @ vectors.T).toarray()
        return similarity

    def unlike(self, case: RecordedCase) -> list[RecordedCase]:
        """Other cases that share neither much of the record nor a word of the diagnosis, least similar first."""
        row = self._similarity[next(i for i, other in enumerate(self.cases) if other is case)]
        order = np.argsort(row, kind="stable")[: len(self.cases) // 2]
        own, everything = case.case.diagnosis, " ".join(fact.text for fact in case.case.facts)
        return [
            other
            for other in (self.cases[i] for i in order)
            if not name_words(own) & name_words(other.case.diagnosis) and not names(everything, other.case.diagnosis)
        ]

    def diagnoses(self, case: RecordedCase, count: int) -> list[str]:
        """Diagnoses of other cases. Each is a distractor about as often as it is right.

        Raises:
            LeftOut: there are fewer than `count`.
        """
        rng = case.rng("diagnoses")
        found = sorted({other.case.diagnosis for other in self.unlike(case)})
        rng.shuffle(found)
        found.sort(key=lambda name: self._used[name])
        if len(found) < count:
            raise LeftOut(f"fewer than {count} other diagnoses that are surely wrong")
        self._used.update(found[:count])
        return found[:count]

    def complaint(self, case: RecordedCase) -> str:
        """The complaint of another case, about as long as this one's.

        Raises:
            LeftOut: no case has one that is absent from this record.
        """
        own = " ".join(case.symptoms).lower()
        found = {other.complaint for other in self.unlike(case) if other.symptoms}
        usable = sorted(found, key=lambda text: (abs(len(text) - len(case.complaint)), text))[:5]
        usable = [text for text in usable if text.lower() not in own]
        if not usable:
            raise LeftOut("no other case whose complaint is surely wrong")
        return case.rng("other complaint").choice(usable)
