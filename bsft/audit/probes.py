"""What probes look at. Of artefacts no model may make use; what a scene says, and where, is reported and not limited.

Artefacts of twins: how long the scene is, how it is said, and both for the two twins side by side. Of everything but
the scene: the request and the options. Of options: place, order, length and text of the right one, policies that never
read, and how many answers the complaint alone gives away, remembered from other cases.

Content: a potassium of 7.4 may be found by its number. Then the same number stands in the handled control, where
somebody has dealt with it, and what tells twins apart must not tell a problem from its control.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os.path import commonprefix

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bsft.audit.corpus import Corpus, CorpusItem, Pair, Texts, View, request_and_options, scene, size
from bsft.audit.limits import Finding
from bsft.audit.units import Matrix, Units, alternatives
from bsft.stats.measures import Booleans, Floats, Integers
from bsft.stats.policies import SURFACE_POLICIES, Policy, Question, TrainingCounts

N_BEST_FEATURES = 5000
"""A probe of counts keeps this many features, chosen on what it is fitted on: as good as all of them, and quicker."""

CONTENT: tuple[View, ...] = ("words", "words and numbers")


# --- artefacts ---


def of_scenes(units: Units, corpus: Corpus, styles: Texts) -> Iterator[Finding]:
    """Does an item need a flag, from the length and the style of its scene, or from everything else?"""
    scenes = [scene(row) for row in units.rows]
    lengths = np.array([size(corpus.texts, document) for document in scenes])
    yield from units.areas("scene length", units.scores(size_learner, lengths), limited=True)
    yield from units.areas("scene style", units.scores(text_learner, styles.counts(scenes)), limited=True)
    rest = [request_and_options(row) for row in units.rows]
    counts = Texts(corpus.texts, rest, "words and numbers").counts(rest)
    yield from units.areas("request and options", units.scores(text_learner, counts), limited=True)


def of_twins(twins: Units, corpus: Corpus, styles: Texts) -> Iterator[Finding]:
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


def of_options(units: Units, places: Sequence[int], corpus: Corpus) -> Iterator[Finding]:
    """Is an option the right one, without the case? From its place, its neighbours, its length, its text, a policy."""
    options = list(zip(units.rows, places, strict=True))
    named = bool(corpus.tasks[units.task].labels)
    seen = {
        "option position": (category_learner, np.array([[str(i), str(len(row.options))] for row, i in options])),
        "option order": (
            category_learner,
            np.array([_order(row, i, corpus.texts, named=named) for row, i in options]),
        ),
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


# --- content ---


def of_content(units: Units, pairs: Sequence[Pair], scenes: Mapping[View, Texts]) -> Iterator[Finding]:
    """Problems against their clean twins and against their controls, by a probe fitted on twins and by one of its own.

    Args:
        units: perturbed, clean, perturbed ... of the pairs; or, without pairs, items of which some need a flag.
        scenes: all scenes as their words, and as words and numbers.
    """
    controls = [pair.control for pair in pairs if pair.control is not None]
    n_twins, n_controls = len(units.rows), len(controls)
    positive = np.r_[units.positive, np.zeros(n_controls, dtype=bool)]
    every = Units(units.task, units.kind, [*units.rows, *controls], positive, units.settings)
    is_twin = np.arange(n_twins + n_controls) < n_twins
    handled = {id(pair.perturbed) for pair in pairs if pair.control is not None}
    controlled = np.array([id(row) in handled for row in every.rows]) | ~is_twin
    documents = [scene(row) for row in every.rows]
    for view in CONTENT:
        counts = scenes[view].counts(documents)
        found = every.scores(text_learner, counts, is_twin)
        yield from every.areas(view, found, is_twin, limited=False)
    if controls:
        yield from every.areas("against controls", found, controlled, limited=False)
        own = every.scores(text_learner, counts, controlled)
        yield from every.areas("against controls, fitted", own, controlled, limited=False)


def of_place(units: Units) -> Iterator[Finding]:
    """Which turn was edited, from its place and its speaker's role? Units are problems and their twins."""
    problems = [row for row, positive in zip(units.rows, units.positive, strict=True) if positive]
    turns = [(row, i) for row in problems for i in range(len(row.turns))]
    edited = np.array([row.locus == i for row, i in turns])
    asked = Units(units.task, units.kind, [row for row, _ in turns], edited, units.settings)
    seen = np.array([[str(i), str(len(row.turns) - i), row.roles[i]] for row, i in turns])
    yield from asked.areas("place of the edit", asked.scores(category_learner, seen), limited=False)


# --- the complaint ---


def complaint(row: CorpusItem, texts: Sequence[str]) -> str:
    """The first turn that asks nothing: whoever presents the patient says why they came."""
    turns = [texts[place] for place in row.turns]
    return next((text for text in turns if not text.rstrip().endswith("?")), turns[0])


def of_complaint(units: Units, places: Sequence[int], corpus: Corpus) -> Iterator[Finding]:
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


# --- the models that are fitted: simple, quick, and ignorant of medicine ---


def text_learner() -> Pipeline:
    """TF-IDF, the best features, logistic regression.

    Twins differ so little that a solver with an absolute tolerance, such as L-BFGS, stops before it starts.
    """
    best, fit = SelectKBest(chi2, k=N_BEST_FEATURES), LogisticRegression(C=10, solver="liblinear")
    return Pipeline([("weigh", TfidfTransformer()), ("select", best), ("fit", fit)])


def size_learner() -> Pipeline:
    """A tree, which finds a relation of any shape between a few numbers."""
    return Pipeline([("fit", DecisionTreeClassifier(max_depth=4, min_samples_leaf=20, random_state=0))])


def category_learner() -> Pipeline:
    return Pipeline(
        [("encode", OneHotEncoder(handle_unknown="ignore")), ("fit", LogisticRegression(solver="liblinear"))]
    )


def linear_learner() -> Pipeline:
    """For a few numbers of which more means more."""
    return Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())])


def difference_learner() -> Pipeline:
    """For differences of twins, which mean the opposite when their sign is turned: no intercept."""
    fit = LogisticRegression(C=10, solver="liblinear", fit_intercept=False)
    return Pipeline([("normalise", Normalizer()), ("fit", fit)])


def differences(twins: Matrix) -> csr_matrix:
    """The first half, of problems, less the second, of their twins; then the same the other way round."""
    half = twins.shape[0] // 2
    difference = csr_matrix(twins[:half] - twins[half:])
    return csr_matrix(vstack([difference, -difference]))
