"""What a model would say, read where it is decided: after the errand is done, the reply ends or a concern begins.

Options of which one continues another (`bsft.bench.replies`) are not compared as wholes: a longer reply is always less
likely. First comes the flag margin, log p(a concern begins | prompt, errand) - log p(the turn ends | prompt, errand);
then which concern, or which answer, by log-likelihood per token. Other benchmarks' options have no such stem: there the
highest sum of log-likelihoods decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bsft.scoring.choices import Context, Scored


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
