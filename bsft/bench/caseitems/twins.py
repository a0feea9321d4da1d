"""Items of the proactive tasks: for every problem that a record allows, a perturbed scene and its clean twin."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.perturb import Pair
from bsft.bench.records import Item, Option, TaskSpec
from bsft.bench.scene import capitalise, fill
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import fit_lengths
from bsft.bench.tasks.twins import NO_FLAG

Make = Callable[[Chart], Pair]
"""Makes the pair of one label.

Raises:
    LeftOut: the record lacks what it takes.
"""


@dataclass
class Reasons:
    """Why cases were left out: task, or task and label -> reason -> cases."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, what: str, reason: LeftOut) -> None:
        of_this = self.counts.setdefault(what, {})
        of_this[str(reason)] = of_this.get(str(reason), 0) + 1


def twin_items(spec: TaskSpec, chart: Chart, makers: Mapping[str, Make], reasons: Reasons) -> Iterator[Item]:
    """Both twins of the pair of every label that the record allows; the same replies are offered for all of them."""
    try:
        chart.check_silence_is_right()
    except LeftOut as reason:
        reasons.add(spec.name, reason)
        return
    pairs: list[Pair] = []
    for label, make in makers.items():
        try:
            pairs.append(make(chart))
        except LeftOut as reason:
            reasons.add(f"{spec.name}: {label}", reason)
    claims = {key: text for pair in pairs for key, text in pair.claims.items()}
    for pair in pairs:
        rng = chart.rng(f"{spec.name} {pair.label}")
        errand = rng.choice(chart.words.errands)
        replies = [Reply(NO_FLAG, False, [capitalise(fill(text, chart.fields)) for text in errand.replies])]
        replies += [flag_reply(chart, other.label, claims, other.label) for other in pairs]
        try:
            options = fitted(replies, rng)
        except LeftOut as reason:
            reasons.add(f"{spec.name}: {pair.label}", reason)
            continue
        yield from _twins(spec, chart, pair, errand.query, options)


def flag_reply(chart: Chart, claim: str, fields: Mapping[str, str], label: str) -> Reply:
    """A reply that raises the concern `claim`, in all its wordings."""
    openers = [fill(opener, chart.fields) for opener in chart.words.openers]
    claims = [fill(claim_text, fields) for claim_text in chart.words.claims[claim]]
    return Reply(label, True, ["".join(parts) for parts in product(openers, claims, chart.words.closers)])


def fitted(replies: Sequence[Reply], rng: random.Random) -> list[Option]:
    """One wording of every reply, all of similar length, in shuffled order.

    Raises:
        LeftOut: there are none; the record's words in one of them are too many or too few.
    """
    try:
        return fit_lengths(replies, rng)
    except ValueError:
        raise LeftOut("replies would differ in length") from None


def _twins(spec: TaskSpec, chart: Chart, pair: Pair, query: str, options: Sequence[Option]) -> Iterator[Item]:
    stem = f"{chart.case.id}/{spec.name}/{pair.label}"
    for variant, scene, flagged in (("perturbed", pair.perturbed, True), ("clean", pair.clean, False)):
        yield Item.model_validate({
            "id": f"{stem}/{variant}",
            "case_id": chart.case.id,
            "twin_id": f"{stem}/{'clean' if flagged else 'perturbed'}",
            "task": spec.name,
            "group": spec.group,
            "gold_behavior": "proactive" if flagged else "reactive",
            "autonomy": ("L4" if pair.urgent else "L3") if flagged else "L2",
            "turns": scene.turns,
            "query": query,
            "options": list(options),
            "label": pair.label if flagged else NO_FLAG,
            "variant": variant,
            "perturbation": pair.record() if flagged else None,
            "determinable": True,
            "split": chart.split,
            "specialty": chart.case.specialty,
        })  # fmt: skip
