"""One problem in a scene: an edit of one field, and the values that edits put in.

A pair of twins is one clean scene and one edit. Both have the same wordings and the same options.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bsft.bench.bank.schema import Range
from bsft.bench.left_out import LeftOut
from bsft.bench.limits import Limits
from bsft.bench.scene import Scene
from bsft.bench.spoken import number
from bsft.records.numerals import mask_numerals
from bsft.records.schema import Perturbation


@dataclass(frozen=True)
class Problem:
    """A clean scene and the edit that puts one problem into it."""

    kind: str
    label: str
    """Label of the reply that raises this problem."""
    clean: Scene
    slot: str
    field: str
    after: str
    claim: Mapping[str, str]
    """What the claim names: both pieces of evidence, the harm, what to do."""
    partner: str = ""
    """The slot without which the problem cannot be seen, if there is one that may stand after `slot`."""

    @property
    def family(self) -> str:
        """The part of the kind before its slash."""
        return self.kind.partition("/")[0]

    @property
    def before(self) -> str:
        return self.clean[self.slot].fields[self.field]

    @property
    def perturbed(self) -> Scene:
        return self.clean.put(self.slot, **{self.field: self.after})

    @property
    def visible_from(self) -> int:
        """Index of the turn by which all evidence has been shown."""
        return max(self.clean.index(slot) for slot in (self.slot, self.partner) if slot)

    def record(self) -> Perturbation:
        return Perturbation.model_construct(
            kind=self.kind,
            locus=self.clean.locus(self.slot, self.field),
            before=self.before,
            after=self.after,
            visible_from=self.visible_from,
        )


def draw_edit(pairs: Iterable[tuple[str, str]], rng: random.Random) -> tuple[str, str]:
    """A clean text and what replaces it: of as many words, and as often the longer one as the shorter.

    So length tells nothing.

    Args:
        pairs: what may be drawn, with some of both sorts among them.
    """
    sign = rng.choice((-1, 1))
    added = [(pair, *growth(*pair)) for pair in pairs]
    fitting = [pair for pair, characters, words in added if sign * characters >= 0 and not words]
    return rng.choice(fitting or [pair for pair, *_ in added])


def growth(before: str, after: str) -> tuple[int, int]:
    """Characters and words that an edit adds, numerals masked."""
    old, new = mask_numerals(before), mask_numerals(after)
    return len(new) - len(old), len(new.split()) - len(old.split())


def value_beyond_limit(limits: Limits, plausible: Range, rng: random.Random, *, subtle: bool) -> float:
    """A value beyond one of two limits and still compatible with life; `subtle` values lie close to the limit.

    Raises:
        LeftOut: there is no limit.
    """
    sides = [limit for limit in limits if limit is not None]
    if not sides:
        raise LeftOut("a critical value needs a critical limit")
    near, far = (0.02, 0.08) if subtle else (0.08, 0.3)
    limit = rng.choice(sides)
    if limit is limits[0]:
        return limit - rng.uniform(near, far) * (limit - plausible.low)
    return limit + rng.uniform(near, far) * (min(plausible.high, 2.5 * abs(limit)) - limit)


def shift_decimal(value: float, decimals: int, up: bool) -> str:
    """The value with its decimal point moved by one place."""
    if up:
        return number(value * 10, max(decimals - 1, 0))
    return number(value / 10, decimals + 1)


def value_within_limit(limits: Limits, reference: Range, rng: random.Random) -> float | None:
    """A value outside the reference range, but not yet critical; None where there is hardly any room between them."""
    gaps = []
    low, high = limits
    if low is not None and low < reference.low:
        gaps.append((low + 0.25 * (reference.low - low), reference.low))
    if high is not None and high > reference.high:
        gaps.append((reference.high, high - 0.25 * (high - reference.high)))
    return rng.uniform(*rng.choice(gaps)) if gaps else None
