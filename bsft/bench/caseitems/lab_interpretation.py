"""Laboratory interpretation on records: is a result low, normal or high against the range printed beside it?

Labels: low, normal, high. Metric: macro-F1. Oracle: the printed range, which is the record's own or, for adults who are
not expecting, the case bank's; a record that calls the result otherwise is left out.
"""

from __future__ import annotations

from collections import defaultdict

from bsft.bench.caseitems.answers import answer_item, framed, question
from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.peers import Peers
from bsft.bench.caseitems.readings import Result
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.records import Item
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.lab_interpretation import SPEC

READINGS = {"low": 3, "normal": 1, "high": 2}
"""Label -> how readily a case that has such a result asks for it: most results are normal, and few are low."""


def item(chart: Chart, peers: Peers) -> Item:
    """The item of a case; `peers` take no part.

    Raises:
        LeftOut: no result has a range printed beside it.
    """
    rng = chart.rng(SPEC.name)
    by_label: dict[str, list[Result]] = defaultdict(list)
    for result in chart.results:
        if result.limits is not None:
            by_label[result.reading].append(result)
    if not by_label:
        raise LeftOut("no result of the case bank's analytes with a reference range")
    possible = [label for label in READINGS if label in by_label]
    label = rng.choices(possible, [READINGS[label] for label in possible])[0]
    result = rng.choice(by_label[label])
    about = {"analyte": result.spoken_name, "measured": result.measured()}
    replies = [Reply(name, False, framed(chart, SPEC.name, **about, x=name)) for name in READINGS]
    query = question(chart, SPEC.name, rng, analyte=about["analyte"])
    return answer_item(SPEC, chart, base_scene(chart), query, replies, label, rng)
