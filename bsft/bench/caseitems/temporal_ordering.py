"""Temporal ordering on records: three dated events in order. Metric: accuracy. Oracle: the record's times."""

from __future__ import annotations

from itertools import permutations

from bsft.bench.caseitems.answers import answer_item, framed, question
from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.peers import Peers
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.perturb import spoken
from bsft.bench.records import Item
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.temporal_ordering import SPEC

EVENTS, DISTRACTORS = 3, 3


def item(chart: Chart, peers: Peers) -> Item:
    """The item of a case; `peers` take no part.

    Raises:
        LeftOut: fewer than three events before presentation, or their spoken times do not differ.
    """
    if len(chart.events) < EVENTS:
        raise LeftOut(f"fewer than {EVENTS} dated events before presentation whose spoken times differ")
    rng = chart.rng(SPEC.name)
    chosen = sorted(rng.sample(range(len(chart.events)), EVENTS))
    true, *others = permutations(spoken(chart.events[i].text.rstrip(".")) for i in chosen)
    orders = {"correct": true}
    orders |= {f"distractor_{i}": order for i, order in enumerate(rng.sample(others, DISTRACTORS), start=1)}
    replies = [
        Reply(label, False, framed(chart, SPEC.name, **dict(zip("abc", order, strict=True))))
        for label, order in orders.items()
    ]
    return answer_item(SPEC, chart, base_scene(chart), question(chart, SPEC.name, rng), replies, "correct", rng)
