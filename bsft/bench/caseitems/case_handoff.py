"""Case handoff on records: the faithful handover among three with one false detail each.

Metric: accuracy. Oracle: age, sex, complaint and vital signs of the record; the false complaint is that of a case that
has little in common with this one, the false reading differs by at least an eighth.
"""

from __future__ import annotations

import random

from bsft.bench.caseitems.answers import answer_item, framed, question
from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.peers import Peers
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.person import Person
from bsft.bench.records import Item
from bsft.bench.tasks.case_handoff import SPEC
from bsft.bench.tasks.claims import Reply

MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS = 8, 25
READING_FACTORS = (0.8, 0.85, 1.15, 1.2)


def item(chart: Chart, peers: Peers) -> Item:
    """The item of a case.

    Raises:
        LeftOut: no vital sign to hand over, or no other complaint.
    """
    rng = chart.rng(SPEC.name)
    scene = base_scene(chart)
    usable = [v for v in chart.shown_vitals if v not in ("temperature_c", "oxygen_saturation_percent")]
    if not usable:
        raise LeftOut("no vital sign to hand over")
    vital_id = rng.choice(usable)
    true = {"vital": chart.vital_text(vital_id)}
    reading = chart.vital_text(vital_id, chart.vitals[vital_id] * rng.choice(READING_FACTORS))
    false = [{"vital": reading}, {"complaint": peers.complaint(chart)}, _other_person(chart, rng)]
    replies = [Reply("correct", False, framed(chart, SPEC.name, **true))]
    for i, change in enumerate(rng.sample(false, len(false)), start=1):
        replies.append(Reply(f"distractor_{i}", False, framed(chart, SPEC.name, **{**true, **change})))
    query = question(chart, SPEC.name, rng)
    return answer_item(SPEC, chart, scene, query, replies, "correct", rng, autonomy="L2")


def _other_person(chart: Chart, rng: random.Random) -> dict[str, str]:
    """The other sex or, of an adult, another age."""
    person = chart.person
    years = person.age_years + rng.choice((-1, 1)) * rng.randint(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS)
    if person.age_years >= 20 and 18 <= years <= 95:
        return {"an_age": Person(float(years), person.sex, person.weight_kg).an_age}
    return {"noun": Person(person.age_years, "male" if person.sex == "female" else "female", 0.0).noun}
