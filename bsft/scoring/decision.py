"""What a model would say, read where it is decided: after the errand is done, the reply ends or a concern begins.

Options of which one continues another (`bsft.bench.replies`) are not compared as wholes: a longer reply is always less
likely. First comes the flag margin, log p(a concern begins | prompt, errand) - log p(the turn ends | prompt, errand);
then which concern, or which answer, by log-likelihood per token. Other benchmarks' options have no such stem: there the
highest sum of log-likelihoods decides.

And how ready it is to raise a concern, apart from where its threshold lies: `Alarm.margin` orders items. It is
log p(proactive) - log p(another behaviour token) where the model predicts its token, and otherwise the flag margin. A
threshold makes decisions of it: chosen on other items for a wanted rate of over-intervention, it lets methods be
compared that are forward to different degrees.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from bsft.records.schema import Behavior, Item
from bsft.scoring.choices import Context, Scored
from bsft.scoring.metrics import Response
from bsft.stats.measures import macro_f1

_LEAST = 1e-12
"""Probabilities below it are not told apart."""


@dataclass(frozen=True)
class Decision:
    """What is said and how readily.

    Attributes:
        chosen: the index of the option that is said.
        flag_margin: by how much raising a concern is preferred to ending the turn, in nats; None where no option raises
            a concern, or none could be left out.
        spread: how far apart the concerns lie, in nats (per token where options have a stem); None with fewer than two.
    """

    chosen: int
    flag_margin: float | None
    spread: float | None = None


def decide(scored: Scored, context: Context, *, threshold: float = 0.0) -> Decision:
    """The decision under one context; a concern is raised where the margin is above the threshold. The first of equals
    is said."""
    options = scored.candidates.item.options
    values, margin = _compared(scored, context)
    concerns = [value for value, option in zip(values, options, strict=True) if option.flag]
    raised = None if margin is None else margin > threshold
    allowed = [i for i, option in enumerate(options) if raised is None or option.flag == raised]
    return Decision(
        max(allowed, key=lambda i: (values[i], -i)),
        margin,
        max(concerns) - min(concerns) if len(concerns) > 1 else None,
    )


def _compared(scored: Scored, context: Context) -> tuple[Sequence[float], float | None]:
    """A value for each option, comparable among concerns and among other options, and the flag margin."""
    options = scored.candidates.item.options
    log_probs = scored.token_log_probs.get(context)
    if log_probs is not None and (stems := _stems(scored)):
        margin = max(log_probs[i][n] - log_probs[stem][n] for i, (stem, n) in stems.items())
        own = [stems[i][1] if i in stems else 0 for i in range(len(options))]
        return [fmean(values[n:]) for values, n in zip(log_probs, own, strict=True)], margin
    sums = scored.log_likelihoods[context]
    flags = [value for value, option in zip(sums, options, strict=True) if option.flag]
    others = [value for value, option in zip(sums, options, strict=True) if not option.flag]
    return sums, max(flags) - max(others) if flags and others else None


def _stems(scored: Scored) -> dict[int, tuple[int, int]]:
    """Concern -> (the option that it continues, how many tokens the two share); empty unless all concerns have one."""
    options, ids = scored.candidates.item.options, scored.candidates.option_ids
    found: dict[int, tuple[int, int]] = {}
    for i, option in enumerate(options):
        if option.flag:
            for j, other in enumerate(options):
                n = len(ids[j]) - 1  # the last token ends the turn
                if not other.flag and len(ids[i]) > n + 1 and ids[i][:n] == ids[j][:n]:
                    found[i] = (j, n)
            if i not in found:
                return {}
    return found


# --- alarms ---


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
