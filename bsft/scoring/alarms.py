"""How ready a model is to raise a concern, apart from where its threshold lies.

`Alarm.margin` orders items. It is log p(proactive) - log p(another behaviour token) where the model predicts its
token, and otherwise the flag margin of `bsft.scoring.decision`. A threshold makes decisions of it: chosen on other
items for a wanted rate of over-intervention, it lets methods be compared that are forward to different degrees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bsft.records.schema import Behavior, Item
from bsft.scoring.choices import Context, Scored
from bsft.scoring.decision import decide
from bsft.scoring.metrics import Response
from bsft.stats.measures import macro_f1

_LEAST = 1e-12
"""Probabilities below it are not told apart."""


@dataclass(frozen=True)
class Alarm:
    """An item with its margin in nats, and the indices of what is said with a concern and without."""

    item: Item
    margin: float
    concern: int
    answer: int

    def response(self, threshold: float) -> Response:
        """What is said when concerns are raised above `threshold`."""
        return Response(self.item, self.concern if self.margin > threshold else self.answer)


def alarm_of(scored: Scored, context: Context, *, by_token: bool) -> Alarm | None:
    """An item's alarm; None where there is nothing to raise or nothing else to say.

    Args:
        scored: under `context`, or by token under `token_contexts`.
        context: under which the flag margin is read; None where no token stands before a reply.
        by_token: the margin is the probability of the behaviour token that is predicted, or that a detector gives.
    """
    raised, quiet = context, context
    if by_token and context is not None:
        assert scored.predicted_behavior is not None
        raised, quiet = token_contexts(scored.predicted_behavior)
    with_concern = decide(scored, raised, threshold=-math.inf)
    margin = log_odds(scored) if by_token else with_concern.flag_margin
    if with_concern.flag_margin is None or margin is None:
        return None
    return Alarm(scored.candidates.item, margin, with_concern.chosen, decide(scored, quiet, threshold=math.inf).chosen)


def token_contexts(predicted: Behavior) -> tuple[Behavior, Behavior]:
    """The token under which a concern is chosen, and the one under which anything else is."""
    return "proactive", "reactive" if predicted == "proactive" else predicted


def log_odds(scored: Scored) -> float:
    """log p(proactive) - log p(another behaviour token)."""
    probs = scored.behavior_probs or {}
    others = sum(p for behavior, p in probs.items() if behavior != "proactive")
    return math.log(max(probs["proactive"], _LEAST)) - math.log(max(others, _LEAST))


def without_prior(alarms: Iterable[Alarm], priors: Mapping[str, float]) -> list[Alarm]:
    """Each alarm less the margin of the same request without its scene.

    Args:
        priors: item id -> margin without the scene.
    """
    return [replace(a, margin=a.margin - priors[a.item.id]) for a in alarms]


def best_threshold(alarms: Sequence[Alarm]) -> float | None:
    """The threshold with the best macro-F1 of raising a concern where one is due, the highest of equals; None unless
    some items need one and some do not."""
    margins = np.array([a.margin for a in alarms])
    due = np.array([a.item.gold_behavior == "proactive" for a in alarms], bool)
    if due.all() or not due.any():
        return None
    thresholds = np.unique(margins)[::-1]
    gold, raised = due.astype(np.int64), (margins > thresholds[:, None]).astype(np.int64)
    scores = [macro_f1(gold, each, 2) for each in raised]
    return float(thresholds[int(np.argmax(scores))])


def matched_threshold(alarms: Sequence[Alarm], rate: float) -> float | None:
    """The lowest threshold at which at most `rate` of the items that need no concern would get one; None without such
    items."""
    calm = sorted((a.margin for a in alarms if a.item.gold_behavior != "proactive"), reverse=True)
    return calm[int(rate * len(calm))] if calm else None
