"""Omission detection on records: somebody says what is needed, and the observations or the table hold something else.

Labels: no_flag, flag_vital, flag_lab. Oracle: the needed entry has given way to another one of the same record, and
nothing else in the record speaks of it. Need and entry use different words.
"""

from __future__ import annotations

import random

from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.consistency_check import place
from bsft.bench.caseitems.scenes import base_scene, laboratory, observations
from bsft.bench.perturb import Pair
from bsft.bench.scene import Scene, fill
from bsft.bench.tasks import omission_detection
from bsft.bench.tasks.twins import NO_FLAG

LABELS = (NO_FLAG, "flag_vital", "flag_lab")
SPEC = omission_detection.SPEC.model_copy(update={"labels": list(LABELS)})


def vital(chart: Chart) -> Pair:
    """One of two vital signs is read out: the needed one, or the other."""
    rng = chart.rng("omitted vital")
    needed = [v for v in chart.quiet_vitals if v in chart.words.vital_needs]
    if not needed or len(chart.shown_vitals) < 2:
        raise LeftOut("no second vital sign, or none that nothing else in the record speaks of")
    chosen = rng.choice(needed)
    instead = rng.choice([v for v in chart.shown_vitals if v != chosen])
    need = chart.words.vital_needs[chosen]
    (shown,) = observations(chart, without=instead)
    scene = _announce(chart, base_scene(chart).swap(shown), need.purpose, rng)
    claims = {"vital_need": fill(need.topic, chart.fields)}
    after = chart.vital_text(instead)
    return Pair("omission/vital", "flag_vital", scene, "observations", chosen, after, claims=claims)


def lab(chart: Chart) -> Pair:
    """One of two results stands in the table: the needed one, or the other."""
    rng = chart.rng("omitted lab")
    results = {result.analyte_id: result for result in chart.results}
    quiet = {result.analyte_id for result in chart.quiet_results}
    usable = [
        analyte_id
        for analyte_id, need in chart.words.lab_needs.items()
        if analyte_id in quiet and not any(other in results or chart.speaks_of(other) for other in need.answered_by)
    ]
    if not usable or len(results) < 2:
        raise LeftOut("no second result, or none that could be needed and that nothing else in the record speaks of")
    chosen = rng.choice(usable)
    need = chart.words.lab_needs[chosen]
    instead = rng.choice([analyte_id for analyte_id in results if analyte_id != chosen])
    (shown,) = laboratory(chart, without=instead)
    scene = _announce(chart, base_scene(chart).swap(shown), need.purpose, rng)
    after = results[instead].row()
    return Pair("omission/lab", "flag_lab", scene, "laboratory", chosen, after, claims={"lab_need": need.topic})


def _announce(chart: Chart, scene: Scene, purpose: str, rng: random.Random) -> Scene:
    slot = chart.slot("need", chart.words.need, ("Attending", "attending"), purpose=fill(purpose, chart.fields))
    return place(scene, slot, rng)


MAKERS = {"flag_vital": vital, "flag_lab": lab}
