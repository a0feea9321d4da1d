"""The replies of an item before one wording of each is chosen, such that length tells nothing."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from bsft.bench.left_out import LeftOut
from bsft.records.schema import Option

NO_FLAG = "no_flag"
"""Label of the reply of a proactive task that does what was asked and raises no concern."""
UNJUSTIFIED = "flag"
"""Label of the concern in reactive and balanced tasks, which nothing justifies."""

LENGTH_RATIO = 1.2
"""The longest option of an item has at most this many times the characters of the shortest."""
SHORT_SHARE = 0.4
"""Lengths are drawn from the shortest ones that all options can have: every option is read for every item."""


@dataclass(frozen=True)
class OptionWordings:
    """An option in several wordings, of which one that fits the others' length is taken."""

    label: str
    flag: bool
    texts: Sequence[str]


def fit_lengths(replies: Sequence[OptionWordings], rng: random.Random) -> list[Option]:
    """One wording of every reply, such that their lengths differ by at most `LENGTH_RATIO`, in shuffled order.

    Raises:
        LeftOut: the replies have no wordings of similar length.
    """
    windows = common_lengths(replies)
    if not windows:
        error = LeftOut("replies would differ in length")
        for reply in replies:
            error.add_note(f"{reply.label}: {min(map(len, reply.texts))}-{max(map(len, reply.texts))} characters")
        raise error
    low = rng.choice(windows[: math.ceil(SHORT_SHARE * len(windows))])
    options = []
    for reply in replies:
        fitting = [text for text in reply.texts if low <= len(text) <= low * LENGTH_RATIO]
        options.append(Option.model_construct(text=rng.choice(fitting), label=reply.label, flag=reply.flag))
    rng.shuffle(options)
    return options


def common_lengths(replies: Sequence[OptionWordings]) -> list[int]:
    """Lengths in characters such that every reply has a wording of that length or up to `LENGTH_RATIO` times longer."""
    lengths = [sorted({len(text) for text in reply.texts}) for reply in replies]
    # The shortest option is no longer than the shortest maximum, and the longest reaches the longest minimum.
    lowest, highest = max(options[0] for options in lengths) / LENGTH_RATIO, min(options[-1] for options in lengths)
    return [
        low
        for low in sorted({length for options in lengths for length in options if lowest <= length <= highest})
        if all(bisect_left(options, low) < bisect_right(options, low * LENGTH_RATIO) for options in lengths)
    ]
