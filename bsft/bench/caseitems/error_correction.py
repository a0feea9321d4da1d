"""Error correction on records: a chart label, a reading or a result that cannot be right.

Labels: no_flag, flag_identity, flag_vital_value, flag_lab_value. Oracle: the label names another sex or another age
than the introduction; the reading or result has a shifted decimal point or the wrong unit, and no living patient has
such a value (plausible limits of the case bank).
"""

from __future__ import annotations

from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.readings import Result, factors
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.oracle import value_is_impossible
from bsft.bench.person import Person
from bsft.bench.perturb import Pair, shift_decimal
from bsft.bench.simulate import VITAL_PHRASES
from bsft.bench.tasks import error_correction
from bsft.bench.tasks.twins import NO_FLAG

LABELS = (NO_FLAG, "flag_identity", "flag_vital_value", "flag_lab_value")
SPEC = error_correction.SPEC.model_copy(update={"labels": list(LABELS)})

MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS = 12, 30
OLDEST_YEARS = 95


def identity(chart: Chart) -> Pair:
    """The chart label names the other sex or, of an adult, another age."""
    rng = chart.rng("identity")
    scene = base_scene(chart)
    years = int(chart.person.age_years)
    others = [
        other
        for change in range(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS + 1)
        for other in (years - change, years + change)
        if 18 <= other <= OLDEST_YEARS
    ]
    if years >= 18 and rng.random() < 0.5:
        age = Person(float(rng.choice(others)), chart.person.sex, chart.person.weight_kg).age
        return Pair("error/age", "flag_identity", scene, "label", "age", age)
    other_sex = "male" if chart.person.sex == "female" else "female"
    return Pair("error/sex", "flag_identity", scene, "label", "sex", other_sex)


def vital_value(chart: Chart) -> Pair:
    """A reading with a shifted decimal point."""
    rng = chart.rng("vital value")
    shifted = [(vital_id, after) for vital_id in chart.shown_vitals for after in _shifted_vital(chart, vital_id)]
    if not shifted:
        raise LeftOut("no vital sign that a decimal shift makes impossible")
    vital_id, after = rng.choice(shifted)
    return Pair(
        "error/decimal_shift", "flag_vital_value", base_scene(chart), "observations", vital_id,
        chart.vital_text(vital_id, printed=after), claims={"printed_vital": VITAL_PHRASES[vital_id][0]},
    )  # fmt: skip


def _shifted_vital(chart: Chart, vital_id: str) -> list[str]:
    vital, value = chart.bank.vitals[vital_id], chart.vitals[vital_id]
    if not vital.plausible.low <= value <= vital.plausible.high:
        return []
    shifted = [shift_decimal(value, vital.decimals, up) for up in (True, False)]
    return [text for text in shifted if not vital.plausible.low <= float(text) <= vital.plausible.high]


def lab_value(chart: Chart) -> Pair:
    """A result with a shifted decimal point or beside the wrong unit."""
    rng = chart.rng("lab value")
    wrong = [
        (result, kind, row)
        for result in chart.results
        if not value_is_impossible(result.analyte, result.bank_value)
        for kind, row in [*_shifted_rows(result), *_unit_rows(result)]
    ]
    if not wrong:
        raise LeftOut("no result of the case bank's analytes that a shift or unit makes impossible")
    result, kind, row = rng.choice(wrong)
    claims = {"printed_analyte": result.spoken_name}
    return Pair(kind, "flag_lab_value", base_scene(chart), "laboratory", result.analyte_id, row, claims=claims)


def _shifted_rows(result: Result) -> list[tuple[str, str]]:
    shifted = [shift_decimal(result.value, result.decimals, up) for up in (True, False)]
    return [
        ("error/decimal_shift", result.row(text))
        for text in shifted
        if value_is_impossible(result.analyte, float(text) * result.factor)
    ]


def _unit_rows(result: Result) -> list[tuple[str, str]]:
    """The same number beside another unit in clinical use; the printed range stays as it is."""
    return [
        ("error/unit", result.row(unit=unit))
        for unit in (result.analyte.unit, result.analyte.other_unit)
        if unit and value_is_impossible(result.analyte, result.value * factors(result.analyte_id)[unit])
    ]


MAKERS = {"flag_identity": identity, "flag_vital_value": vital_value, "flag_lab_value": lab_value}
