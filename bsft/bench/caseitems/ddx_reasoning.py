"""Differential diagnosis on records: the record's diagnosis among three of other cases.

Metric: accuracy. Oracle: the record's own diagnosis; sentences that name it are not shown. The other three come from
records that have little in common with this one.
"""

from __future__ import annotations

from bsft.bench.caseitems.answers import answer_item, framed, question
from bsft.bench.caseitems.chart import Chart
from bsft.bench.caseitems.peers import Peers
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.records import Item
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.ddx_reasoning import SPEC

DISTRACTORS = 3


def item(chart: Chart, peers: Peers) -> Item:
    """The item of a case.

    Raises:
        LeftOut: too few other diagnoses, or the replies would differ in length.
    """
    rng = chart.rng(SPEC.name)
    scene = base_scene(chart)
    names = [chart.case.diagnosis, *peers.diagnoses(chart, DISTRACTORS)]
    labels = ["correct", *(f"distractor_{i}" for i in range(1, DISTRACTORS + 1))]
    replies = [
        Reply(label, False, framed(chart, SPEC.name, name=name)) for label, name in zip(labels, names, strict=True)
    ]
    return answer_item(SPEC, chart, scene, question(chart, SPEC.name, rng), replies, "correct", rng)
