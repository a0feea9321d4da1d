"""Sets of right answers that stand as options beside each other, drawn so that the options alone tell nothing.

A panel is a set of answers of which each is right in one condition and wrong in the others. In every case of a
condition one panel with an answer of that condition is drawn. Given the panel, each of its answers is the right one
equally often (in proportion to how often the answers are right at all), so no reader of the options, however clever,
does better than chance. For that the panels' weights are fitted to the answers' frequencies by iterative scaling.

Most panels belong to a complaint that all their conditions share, and the case opens with it: then a reader of the
complaint and the options does no better. A few others are used as far as answers could not be right often enough
without them.
"""

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

CANDIDATES, FEWEST_CANDIDATES = 40, 2_000
"""Panels that are tried for every answer and complaint, and for all answers of a complaint at least."""
ANY_COMPLAINT = "unwell"
"""The complaint that every condition may have."""
ANY_COMPLAINT_WEIGHT = 1e-3
"""How much less panels are wanted whose conditions share no complaint."""
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
    complaints: Sequence[str]
    """The complaint of each panel, or `ANY_COMPLAINT`."""
    of_condition: Mapping[str, tuple[Sequence[tuple[int, int]], Sequence[float]]]
    """Condition -> (the right answer, the panel) and the cumulated weights of these choices."""

    def __contains__(self, condition_id: object) -> bool:
        return condition_id in self.of_condition

    def draw(self, condition_id: str, rng: random.Random) -> tuple[Answer, list[Answer], str]:
        """A right answer of the condition, the other answers of its panel, and the panel's complaint."""
        choices, cumulated = self.of_condition[condition_id]
        right, panel = choices[bisect_left(cumulated, rng.random() * cumulated[-1])]
        others = [self.answers[i] for i in self.members[panel] if i != right]
        return self.answers[right], others, self.complaints[panel]


def fit_panels(
    answers: Sequence[Answer], closeness: Matrix, size: int, seed: str, complaints: Mapping[str, Sequence[int]] = {}
) -> Panels:
    """Panels of `size` answers.

    Args:
        answers: what may be right, and how often.
        closeness: `(n, n)`, symmetric, not negative: how readily two answers stand beside each other; 0 means never,
            and stands on the diagonal.
        size: answers of a panel.
        seed: decides which panels are tried.
        complaints: positions of the answers whose conditions share a complaint, by its name.

    Raises:
        ValueError: no weights of the panels give the answers their frequencies.
    """
    rng = random.Random(seed)
    found: dict[tuple[str, tuple[int, ...]], float] = {
        (complaint, panel): count
        for complaint, own in complaints.items()
        for panel, count in _candidates(closeness, own, size, rng).items()
    }
    every = _candidates(closeness, range(len(answers)), size, rng)
    found |= {(ANY_COMPLAINT, panel): count * ANY_COMPLAINT_WEIGHT for panel, count in every.items()}
    if not found:
        raise ValueError(f"no {size} of {len(answers)} answers can stand beside each other")
    panels = sorted(found)
    members = np.array([panel for _, panel in panels])
    wanted = np.array([found[panel] for panel in panels])
    weights = fit_weights(members, wanted, np.array([answer.weight for answer in answers]))
    choices: dict[str, list[tuple[int, int]]] = {}
    chances: dict[str, list[float]] = {}
    for panel, (indices, weight) in enumerate(zip(members.tolist(), weights.tolist(), strict=True)):
        for i in indices:
            choices.setdefault(answers[i].condition_id, []).append((i, panel))
            chances.setdefault(answers[i].condition_id, []).append(weight)
    named = [complaint for complaint, _ in panels]
    return Panels(answers, members.tolist(), named, {c: (choices[c], list(accumulate(chances[c]))) for c in choices})


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


def _candidates(closeness: Matrix, among: Sequence[int], size: int, rng: random.Random) -> Counter[tuple[int, ...]]:
    """Distinct panels of close answers, some from every answer of those given, and how often each was found."""
    if len(among) < size:
        return Counter()
    near = closeness[np.ix_(among, among)]
    members = np.repeat(np.arange(len(among)), max(CANDIDATES, FEWEST_CANDIDATES // len(among)))[:, None]
    chances = near[members[:, 0]]
    for _ in range(size - 1):  # all panels grow together: `(panels, answers)`, how readily an answer joins a panel
        open_ = chances.any(axis=1)
        members, cumulated = members[open_], chances[open_].cumsum(axis=1)
        drawn = np.array([rng.random() for _ in members]) * cumulated[:, -1]
        joining = (cumulated <= drawn[:, None]).sum(axis=1)
        also = near[joining]
        chances = np.where((chances[open_] > 0) & (also > 0), chances[open_] + also, 0)
        members = np.column_stack([members, joining])
    return Counter(tuple(sorted(among[i] for i in panel)) for panel in members.tolist())
