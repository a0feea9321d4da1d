"""Error correction.

Abstract: a number of the scene cannot be right: a result that no living patient has, one beside the wrong unit, one
    that has moved by a decimal place since the last sample, a dose ten times too high.
Group: proactive. Source: the paper's first figure; the kinds are ours.
Labels: no_flag, flag_impossible_value, flag_unit, flag_decimal, flag_dose (in recorded cases: no_flag, flag_identity,
    flag_vital_value, flag_lab_value).
Metric: macro-F1.
Oracle: the plausible range and the units of the reference file, the result an hour before, the usual doses of the drug
    file. In recorded cases a chart label with the wrong age or sex, and values that a shift makes impossible.
Sample: "An hour ago, potassium 4.1 mmol/L." ... "Potassium 41 mmol/L (ref 3.5-5.3)" -> "... One concern: ..."
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bsft.bench.bank.schema import Medication
from bsft.bench.left_out import LeftOut
from bsft.bench.oracle import dose_is_wrong, value_is_impossible
from bsft.bench.person import Person
from bsft.bench.problem import Problem, shift_decimal
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.claims import REPEAT_SAMPLE, Claim
from bsft.bench.simulated.conversation import NURSE, RESIDENT
from bsft.bench.spoken import VITAL_PHRASES, measured, number, spoken_analyte
from bsft.bench.tasks.alerting import Kind, RecordedProblems, proactive_spec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.readings import Result

MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS = 15, 30
OLDEST_YEARS = 99
IMPOSSIBLE_FACTORS = (1.15, 2.5)
"""How far beyond the plausible range an impossible result lies."""
REPEAT_CHANGE = 0.06
"""By how much a result differs from the one an hour before, at most."""
MIN_SHIFT_JUMP = 3.0
"""Rounding leaves less than a factor of ten; a smaller change than this one might be true."""


def _numbers(case: SimulatedCase) -> list[str]:
    """Analytes of the table whose result is a number above zero, in random order."""
    usable = [a for a in case.shown_labs if case.is_measured(a) and case.value(f"lab:{a}") > 0]
    return case.rng("numbers").sample(usable, len(usable))


def _impossible(case: SimulatedCase, rng: random.Random) -> Problem:
    """A result beyond what any living patient has."""
    if not (usable := _numbers(case)):
        raise LeftOut("no result that is a number")
    analyte_id = rng.choice(usable)
    analyte = case.bank.analytes[analyte_id]
    value = analyte.plausible.high * rng.uniform(*IMPOSSIBLE_FACTORS)
    return _other_number(case, analyte_id, number(value, analyte.decimals), "impossible_value", {})


def _other_number(case: SimulatedCase, analyte_id: str, printed: str, what: str, claim: Claim) -> Problem:
    """The row of a result with another number in it."""
    analyte, row = case.bank.analytes[analyte_id], case.text(f"lab:{analyte_id}")
    before = measured(analyte, case.value(f"lab:{analyte_id}"))
    after = before.replace(number(case.value(f"lab:{analyte_id}"), analyte.decimals), printed, 1)
    claim = {
        "analyte": spoken_analyte(analyte), "value": after, "action": REPEAT_SAMPLE, **claim
    }  # fmt: skip
    return Problem(
        f"error/{what}", f"flag_{what}", case.scene("laboratory"), "laboratory", case.row_of(analyte_id),
        row.replace(f" {before}", f" {after}", 1), claim,
    )  # fmt: skip


def _unit(case: SimulatedCase, rng: random.Random) -> Problem:
    """The number of one unit beside the name of the other; the number is impossible in it."""
    for analyte_id in _numbers(case):
        analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
        if analyte.other_unit is None or analyte.other_factor is None:
            continue
        if not value_is_impossible(analyte, value / analyte.other_factor):
            continue
        row = case.text(f"lab:{analyte_id}")
        after = row.replace(f" {analyte.unit}", f" {analyte.other_unit}", 1)
        claim = {
            "analyte": spoken_analyte(analyte), "value": number(value, analyte.decimals), "unit": analyte.other_unit,
            "expected": analyte.unit,
        }  # fmt: skip
        return Problem(
            "error/unit", "flag_unit", case.scene("laboratory"), "laboratory", case.row_of(analyte_id), after, claim
        )
    raise LeftOut("no result that another unit makes impossible")


def _decimal(case: SimulatedCase, rng: random.Random) -> Problem:
    """A result of an hour ago, and the same result now, with its decimal point in another place."""
    for analyte_id in _numbers(case):
        analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
        shifts = [shift_decimal(value, analyte.decimals, up) for up in rng.sample((True, False), 2)]
        jumps = [text for text in shifts if _jump(value, float(text)) > MIN_SHIFT_JUMP]
        if not jumps:
            continue
        earlier = round(value * (1 + rng.uniform(-REPEAT_CHANGE, REPEAT_CHANGE)), analyte.decimals)
        text = measured(analyte, earlier)
        problem = _other_number(case, analyte_id, jumps[0], "decimal", {"earlier": text})
        slot = case.slot(
            "earlier", case.words.situations.earlier_result, rng.choice((NURSE, RESIDENT)),
            analyte=spoken_analyte(analyte), earlier=text,
        )  # fmt: skip
        return replace(problem, clean=case.place(problem.clean, rng, slot), partner="earlier")
    raise LeftOut("no result that a shifted decimal point would change much")


def _jump(value: float, shifted: float) -> float:
    """By which factor a result seems to have changed; 0 for one that would be printed as zero."""
    return max(shifted / value, value / shifted) if shifted else 0.0


def _dose(case: SimulatedCase, rng: random.Random) -> Problem:
    """An order or home medicine at ten times its dose."""
    for slot, field, text, order in _doses(case):
        drug = case.bank.drugs.get(order.drug)
        if drug is None or not dose_is_wrong(drug, 10 * order.dose, order.unit):
            continue
        dose = f"{round(10 * order.dose, 6):g} {order.unit}"
        after = text.replace(f"{order.dose:g} {order.unit}", dose, 1)
        claim = {"drug": order.drug, "dose": dose, "usual": _usual(order, drug.usual_dose.high, drug.unit)}
        topic = "background" if slot == "background" else "order"
        return Problem("error/dose", "flag_dose", case.scene(topic), slot, field, after, claim)
    raise LeftOut("no dose that a wrong factor makes recognisably wrong")


def _usual(order: Medication, high: float, unit: str) -> str:
    return f"{order.dose:g} {order.unit}" if order.unit != unit else f"at most {high:g} {unit}"


def _doses(case: SimulatedCase) -> Iterator[tuple[str, str, str, Medication]]:
    """Slot, field, text and medication of every dose that the scene shows; the order comes first."""
    order = case.condition.first_line.dose
    if order is not None and f"{order.dose:g} {order.unit}" in case.order_text:
        yield "order", "order", case.order_text, order
    if not case.tablets_are_held:
        yield "background", "m", case.text("medication:main"), case.home_medicine


KINDS = (
    Kind("error/impossible_value", "flag_impossible_value", "numeric_inference", _impossible),
    Kind("error/unit", "flag_unit", "core", _unit, 1.6),
    Kind("error/decimal", "flag_decimal", "numeric_inference", _decimal),
    Kind("error/dose", "flag_dose", "numeric_inference", _dose, 1.2),
)

SPEC = proactive_spec("error_correction", KINDS, "paper")


def _recorded_identity(case: RecordedCase) -> Problem:
    """The chart label names the other sex or, of an adult, another age."""
    rng = case.rng("identity")
    scene = case.base_scene
    years = int(case.person.age_years)
    others = [
        other
        for change in range(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS + 1)
        for other in (years - change, years + change)
        if 18 <= other <= OLDEST_YEARS
    ]
    if years >= 18 and rng.random() < 0.5:
        age = Person(float(rng.choice(others)), case.person.sex, case.person.weight_kg).age
        return Problem("error/age", "flag_identity", scene, "label", "age", age, {})
    return Problem("error/sex", "flag_identity", scene, "label", "sex", case.person.other_sex, {})


def _recorded_vital(case: RecordedCase) -> Problem:
    """A reading with a shifted decimal point."""
    rng = case.rng("vital value")
    shifted = [(vital_id, after) for vital_id in case.shown_vitals for after in _shifted_vital(case, vital_id)]
    if not shifted:
        raise LeftOut("no vital sign that a decimal shift makes impossible")
    vital_id, after = rng.choice(shifted)
    return Problem(
        "error/decimal_shift", "flag_vital_value", case.base_scene, "observations", vital_id,
        case.vital_text(vital_id, printed=after), {"printed_vital": VITAL_PHRASES[vital_id][0]},
    )  # fmt: skip


def _shifted_vital(case: RecordedCase, vital_id: str) -> list[str]:
    vital, value = case.bank.vitals[vital_id], case.vitals[vital_id]
    if not vital.plausible.low <= value <= vital.plausible.high:
        return []
    shifted = [shift_decimal(value, vital.decimals, up) for up in (True, False)]
    return [text for text in shifted if not vital.plausible.low <= float(text) <= vital.plausible.high]


def _recorded_result(case: RecordedCase) -> Problem:
    """A result with a shifted decimal point or beside the wrong unit."""
    rng = case.rng("lab value")
    wrong = [
        (result, kind, row)
        for result in case.results
        if not value_is_impossible(result.analyte, result.bank_value)
        for kind, row in [*_shifted_rows(result), *_unit_rows(result)]
    ]
    if not wrong:
        raise LeftOut("no result of the case bank's analytes that a shift or unit makes impossible")
    result, kind, row = rng.choice(wrong)
    claim = {"printed_analyte": result.spoken_name}
    return Problem(kind, "flag_lab_value", case.base_scene, "laboratory", result.analyte_id, row, claim)


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
        if unit and value_is_impossible(result.analyte, result.value * result.factors[unit])
    ]


RECORDED_PROBLEMS: RecordedProblems = {
    "flag_identity": _recorded_identity, "flag_vital_value": _recorded_vital, "flag_lab_value": _recorded_result,
}  # fmt: skip
