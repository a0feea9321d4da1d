"""Sets of right answers that stand as options beside each other, drawn so that the options alone tell nothing.

A panel is a set of answers of which each is right in one condition and wrong in the others. In every case of a
condition one panel with an answer of that condition is drawn. Given the panel, each of its answers is the right one
equally often (in proportion to how often the answers are right at all), so no reader of the options, however clever,
does better than chance. For that the panels' weights are fitted to the answers' frequencies by iterative scaling.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Indices = NDArray[np.int64]

CANDIDATES = 40
"""Panels that are tried for every answer."""
ROUNDS, TOLERANCE = 3000, 0.01
"""Rounds of the fit, and the largest relative difference between an answer's frequency and its target."""


@dataclass(frozen=True)
class Answer:
    """What is right in one condition."""

    condition_id: str
    text: str
    weight: float = 1.0
    """How often it is right, relative to the other answers."""


@dataclass(frozen=True)
class Panels:
    """Panels by the answers in them, with cumulated weights."""

    answers: Sequence[Answer]
    members: Sequence[Sequence[int]]
    """Panels as positions in `answers`."""
    of_condition: Mapping[str, tuple[Sequence[tuple[int, int]], Sequence[float]]]
    """Condition -> (the right answer, the panel) and the cumulated weights of these choices."""

    def __contains__(self, condition_id: object) -> bool:
        return condition_id in self.of_condition

    def draw(self, condition_id: str, rng: random.Random) -> tuple[Answer, list[Answer]]:
        """A right answer of the condition, and the other answers of its panel."""
        choices, cumulated = self.of_condition[condition_id]
        right, panel = choices[bisect_left(cumulated, rng.random() * cumulated[-1])]
        return self.answers[right], [self.answers[i] for i in self.members[panel] if i != right]


def fit_panels(answers: Sequence[Answer], closeness: Matrix, size: int, seed: str) -> Panels:
    """Panels of `size` answers.

    Args:
        answers: what may be right, and how often.
        closeness: `(n, n)`, symmetric, not negative: how readily two answers stand beside each other; 0 means never,
            and stands on the diagonal.
        size: answers of a panel.
        seed: decides which panels are tried.

    Raises:
        ValueError: no weights of the panels give the answers their frequencies.
    """
    members, wanted = _candidates(closeness, size, random.Random(seed))
    weights = fit_weights(members, wanted, np.array([answer.weight for answer in answers]))
    choices: dict[str, list[tuple[int, int]]] = {}
    chances: dict[str, list[float]] = {}
    for panel, (indices, weight) in enumerate(zip(members.tolist(), weights.tolist(), strict=True)):
        for i in indices:
            choices.setdefault(answers[i].condition_id, []).append((i, panel))
            chances.setdefault(answers[i].condition_id, []).append(weight)
    return Panels(answers, members.tolist(), {c: (choices[c], list(accumulate(chances[c]))) for c in choices})


def fit_weights(members: Indices, wanted: Matrix, targets: Matrix) -> Matrix:
    """Weights of panels, as near to the wanted ones as may be, with which every answer is used as often as it should.

    Args:
        members: `(m, size)`, the answers of each panel.
        wanted: `(m,)`, how often each panel should be drawn if frequencies did not matter.
        targets: `(n,)`, how often each answer should be in a panel, up to a common factor.

    Returns:
        `(m,)`, not negative.

    Raises:
        ValueError: there are none.
    """
    size, n = members.shape[1], len(targets)
    targets = targets / targets.sum()
    weights: Matrix = wanted / wanted.sum()
    deviation = np.full(n, np.inf)
    for _ in range(ROUNDS):
        found = np.bincount(members.ravel(), np.repeat(weights, size), n) / size
        deviation = np.abs(found / targets - 1)
        if deviation.max() <= TOLERANCE:
            return weights
        ratio = np.where(found > 0, targets / np.where(found > 0, found, 1), 1)
        weights = weights * np.exp(np.log(ratio)[members].mean(1))
        weights /= weights.sum()
    raise ValueError(f"answers {np.flatnonzero(deviation > TOLERANCE).tolist()} have too few others to stand beside")


def _candidates(closeness: Matrix, size: int, rng: random.Random) -> tuple[Indices, Matrix]:
    """`(m, size)`: distinct panels of close answers, some from every answer, and `(m,)`: how often each was found."""
    found: Counter[tuple[int, ...]] = Counter()
    for first in range(len(closeness)):
        for _ in range(CANDIDATES):
            panel = [first]
            chances = closeness[first]
            while len(panel) < size and chances.any():
                panel.append(rng.choices(range(len(closeness)), chances.tolist())[0])
                chances = np.where((chances > 0) & (closeness[panel[-1]] > 0), chances + closeness[panel[-1]], 0)
            if len(panel) == size:
                found[tuple(sorted(panel))] += 1
    if not found:
        raise ValueError(f"no {size} of {len(closeness)} answers can stand beside each other")
    panels = sorted(found)
    return np.array(panels), np.array([float(found[panel]) for panel in panels])
