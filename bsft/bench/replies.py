"""The replies of an item. All of them do the same errand in the same words; some raise a concern after it.

So whether to speak up is decided at one place, where the errand is done: the reply ends there or goes on with the
opener that all concerns of the item share.
"""

import random
from collections.abc import Mapping, Sequence

from bsft.records.schema import Option

NO_FLAG = "no_flag"
"""Label of the reply of a proactive task that does what was asked and raises no concern."""
UNJUSTIFIED = "flag"
"""Label of the concern in reactive and balanced tasks, which nothing justifies."""


def alert_options(errand: str, opener: str, concerns: Mapping[str, Sequence[str]], rng: random.Random) -> list[Option]:
    """The errand alone, and the errand with each concern, in shuffled order.

    Args:
        concerns: label -> wordings, of which those of like length are chosen, so that length tells nothing.
    """
    longest = max(min(map(len, wordings)) for wordings in concerns.values())
    shortest = min(max(map(len, wordings)) for wordings in concerns.values())
    target = rng.uniform(min(longest, shortest), max(longest, shortest))
    options = [Option.model_construct(text=errand, label=NO_FLAG, flag=False)]
    for label, wordings in concerns.items():
        claim = min(wordings, key=lambda text: abs(len(text) - target))
        options.append(Option.model_construct(text=f"{errand} {opener}{claim}", label=label, flag=True))
    rng.shuffle(options)
    return options


def answer_options(answers: Sequence[tuple[str, str]], opener: str, concern: str, rng: random.Random) -> list[Option]:
    """Answers, and one of them, whichever it is, with a concern after it.

    Args:
        answers: label and text.
    """
    options = [Option.model_construct(text=text, label=label, flag=False) for label, text in answers]
    stem = rng.choice(options).text
    options.append(Option.model_construct(text=f"{stem} {opener}{concern}", label=UNJUSTIFIED, flag=True))
    rng.shuffle(options)
    return options
