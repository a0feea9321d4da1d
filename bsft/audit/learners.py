"""The models that probes fit: simple, quick, and ignorant of medicine."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bsft.stats.arrays import Booleans

N_BEST_FEATURES = 5000
"""A probe of counts keeps this many features, chosen on what it is fitted on: as good as all of them, and quicker."""

Matrix = csr_matrix | NDArray[Any]
Learner = Callable[[], Pipeline]


def text() -> Pipeline:
    """TF-IDF, the best features, logistic regression.

    Twins differ so little that a solver with an absolute tolerance, such as L-BFGS, stops before it starts.
    """
    best, fit = SelectKBest(chi2, k=N_BEST_FEATURES), LogisticRegression(C=10, solver="liblinear")
    return Pipeline([("weigh", TfidfTransformer()), ("select", best), ("fit", fit)])


def size() -> Pipeline:
    """A tree, which finds a relation of any shape between a few numbers."""
    return Pipeline([("fit", DecisionTreeClassifier(max_depth=4, min_samples_leaf=20, random_state=0))])


def category() -> Pipeline:
    return Pipeline(
        [("encode", OneHotEncoder(handle_unknown="ignore")), ("fit", LogisticRegression(solver="liblinear"))]
    )


def linear() -> Pipeline:
    """For a few numbers of which more means more."""
    return Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())])


def difference() -> Pipeline:
    """For differences of twins, which mean the opposite when their sign is turned: no intercept."""
    fit = LogisticRegression(C=10, solver="liblinear", fit_intercept=False)
    return Pipeline([("normalise", Normalizer()), ("fit", fit)])


def differences(twins: Matrix) -> csr_matrix:
    """The first half, of problems, less the second, of their twins; then the same the other way round."""
    half = twins.shape[0] // 2
    difference = csr_matrix(twins[:half] - twins[half:])
    return csr_matrix(vstack([difference, -difference]))


def fitted(learner: Learner, features: Matrix, target: Booleans) -> Pipeline:
    with warnings.catch_warnings():
        # Few features and constant ones are ordinary here: twins have the same request and options.
        warnings.simplefilter("ignore", UserWarning)
        pipeline = learner()
        pipeline.fit(features, target)
        return pipeline
