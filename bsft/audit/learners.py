"""The models that probes fit: simple, quick, and ignorant of medicine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder

from bsft.audit.folds import Design
from bsft.stats.arrays import Booleans, Floats, Integers

N_BEST_FEATURES = 5000
"""A probe of counts keeps this many features, chosen on what it is fitted on: as good as all of them, and quicker."""

N_SHOWN_FEATURES = 12
"""Features named in the audit, half of them on either side."""

Matrix = csr_matrix | NDArray[Any]
Learner = Callable[[], Pipeline]


@dataclass(frozen=True)
class Feature:
    """What a probe looks at; a positive weight speaks for the positive class."""

    name: str
    weight: float


def text_learner() -> Pipeline:
    """TF-IDF, the best features, logistic regression.

    Twins differ so little that a solver with an absolute tolerance, such as L-BFGS, stops before it starts.
    """
    return _text_pipeline(LogisticRegression(C=10, solver="liblinear"))


def balanced_text_learner() -> Pipeline:
    """The same for several labels of unequal frequency, which macro-F1 weighs equally."""
    return _text_pipeline(LogisticRegression(C=10, max_iter=300, class_weight="balanced"))


def size_learner() -> Pipeline:
    """Boosted trees, which find a relation of any shape between a few numbers."""
    fit = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=0
    )
    return Pipeline([("fit", fit)])


def category_learner() -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="ignore")
    return Pipeline([("encode", encoder), ("fit", LogisticRegression(max_iter=300))])


def difference_learner() -> Pipeline:
    """For differences of twins, which mean the opposite when their sign is turned: no intercept."""
    fit = LogisticRegression(C=10, solver="liblinear", fit_intercept=False)
    return Pipeline([("normalise", Normalizer()), ("fit", fit)])


def scores(learner: Learner, features: Matrix, positive: Booleans, design: Design) -> Floats:
    """Decision values of all units; NaN for those that the design does not evaluate."""
    values = np.full(len(positive), np.nan)
    for fit, held in design.folds:
        values[held] = _fitted(learner, features[fit], positive[fit]).decision_function(features[held])
    return values


def predictions(learner: Learner, features: Matrix, labels: Integers, design: Design) -> Integers:
    """Predicted labels of all units; -1 for those that the design does not evaluate."""
    values = np.full(len(labels), -1)
    for fit, held in design.folds:
        values[held] = _fitted(learner, features[fit], labels[fit]).predict(features[held])
    return values


def differences(perturbed: csr_matrix, clean: csr_matrix) -> csr_matrix:
    """TF-IDF of the perturbed twins less that of the clean ones, then the same the other way round.

    The weights of features are those of all twins: they know nothing of labels.
    """
    weighing = TfidfTransformer(norm=None).fit(vstack([perturbed, clean]))
    difference = csr_matrix(weighing.transform(perturbed) - weighing.transform(clean))
    return csr_matrix(vstack([difference, -difference]))


def top_features(learner: Learner, features: Matrix, positive: Booleans, names: Sequence[str]) -> list[Feature]:
    """The features with the largest weights, for and against, of a probe fitted on everything."""
    return _largest(_fitted(learner, features, positive), names)


def _fitted(learner: Learner, features: Matrix, target: NDArray[Any]) -> Pipeline:
    with warnings.catch_warnings():
        # Few features and constant ones are ordinary here: twins have the same question and options.
        warnings.simplefilter("ignore", UserWarning)
        pipeline = learner()
        pipeline.fit(features, target)
        return pipeline


def _text_pipeline(fit: LogisticRegression) -> Pipeline:
    best = SelectKBest(chi2, k=N_BEST_FEATURES)
    return Pipeline([("weigh", TfidfTransformer()), ("select", best), ("fit", fit)])


def _largest(fitted: Pipeline, names: Sequence[str]) -> list[Feature]:
    weights = fitted.named_steps["fit"].coef_[0]
    chooser = fitted.named_steps.get("select")
    places = np.arange(len(names)) if chooser is None else chooser.get_support(indices=True)
    order = np.argsort(weights, kind="stable")
    half = N_SHOWN_FEATURES // 2
    chosen = [*order[::-1][:half], *order[:half][::-1]] if len(order) > N_SHOWN_FEATURES else list(order[::-1])
    return [Feature(names[places[i]], float(weights[i])) for i in chosen if weights[i] != 0]
