"""Critical data alert on records: a normal reading or result is replaced by one beyond its critical limit.

Labels: no_flag, flag_critical_vital, flag_critical_lab. Oracle: the case bank's critical limits, of adults only. The
clean value lies within the reference range, and nothing else in the record speaks of it.
"""

from __future__ import annotations

from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.oracle import value_is_critical
from bsft.bench.perturb import Pair, beyond
from bsft.bench.simulate import VITAL_PHRASES, number
from bsft.bench.tasks import critical_data_alert
from bsft.bench.tasks.twins import NO_FLAG

LABELS = (NO_FLAG, "flag_critical_vital", "flag_critical_lab")
SPEC = critical_data_alert.SPEC.model_copy(update={"labels": list(LABELS)})

_CHILD = "a child, whose critical limits differ"


def critical_vital(chart: Chart) -> Pair:
    """A vital sign beyond its critical limit."""
    if not chart.is_adult:
        raise LeftOut(_CHILD)
    rng = chart.rng("critical vital")
    vitals = chart.bank.vitals
    usable = [v for v in chart.quiet_vitals if vitals[v].reference.low <= chart.vitals[v] <= vitals[v].reference.high]
    if not usable:
        raise LeftOut("no normal vital sign that nothing else in the record speaks of")
    vital_id = rng.choice(usable)
    vital = vitals[vital_id]
    value = round(beyond(vital.critical_low, vital.critical_high, vital.plausible, rng, subtle=False), vital.decimals)
    assert value_is_critical(vital, value)
    return Pair(
        "critical/vital", "flag_critical_vital", base_scene(chart), "observations", vital_id,
        chart.vital_text(vital_id, value), claims={"vital": VITAL_PHRASES[vital_id][0]}, urgent=True,
    )  # fmt: skip


def critical_lab(chart: Chart) -> Pair:
    """A result beyond the limit at which laboratories telephone."""
    if not chart.is_adult:
        raise LeftOut(_CHILD)
    rng = chart.rng("critical lab")
    usable = [
        result
        for result in chart.quiet_results
        if (result.analyte.critical_low, result.analyte.critical_high) != (None, None)
        and result.limits is not None
        and result.reading == "normal"
    ]
    if not usable:
        raise LeftOut("no normal result with critical limits that nothing else in the record speaks of")
    result = rng.choice(usable)
    analyte = result.analyte
    critical = beyond(analyte.critical_low, analyte.critical_high, analyte.plausible, rng, subtle=False)
    printed = number(critical / result.factor, result.decimals)
    assert value_is_critical(analyte, float(printed) * result.factor)
    return Pair(
        "critical/lab", "flag_critical_lab", base_scene(chart), "laboratory", result.analyte_id,
        result.row(printed), claims={"analyte": result.spoken_name}, urgent=True,
    )  # fmt: skip


MAKERS = {"flag_critical_vital": critical_vital, "flag_critical_lab": critical_lab}
