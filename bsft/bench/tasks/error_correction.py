"""Error correction.

Abstract: a printed value, unit, dose, side, age, sex or medicine is wrong, and the agent, asked for something else,
    says so.
Group: proactive. Source: the paper's first figure; the kinds of error are ours.
Labels: no_flag, flag_lab_value, flag_dose, flag_identity, flag_drug, flag_laterality (in recorded cases: no_flag,
    flag_identity, flag_vital_value, flag_lab_value).
Metric: macro-F1.
Oracle: a value outside what is compatible with life, a dose far outside the usual range, or a chart that disagrees with
    what was said. A value that stays plausible after the change is not determinable and is labelled no_flag; in
    recorded cases there is none.
Sample: "Sodium 1380 mmol/L (ref 133-146)" and "Please put a title on the handover entry." -> "Please hold on: the
    sodium in the table looks like an error."
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bsft.bench.left_out import LeftOut
from bsft.bench.limits import reference_range
from bsft.bench.oracle import value_is_impossible, wrong_doses
from bsft.bench.person import Person
from bsft.bench.problem import Problem, shift_decimal
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Slot, Speaker
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.spoken import VITAL_PHRASES, number, spoken_analyte
from bsft.bench.tasks.alerting import RecordedProblems, first_possible, is_possible, shuffled_kinds
from bsft.records.schema import TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.readings import Result

SPEC = TaskSpec(
    name="error_correction",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_lab_value", "flag_dose", "flag_identity", "flag_drug", "flag_laterality"],
    source="paper",
)

KINDS = {
    "error/decimal_shift": 0.2, "error/unit": 0.15, "error/dose": 0.15, "error/sex": 0.15, "error/age": 0.1,
    "error/drug": 0.2, "error/laterality": 0.2,
}  # fmt: skip

MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS, OLDEST_YEARS = 12, 30, 95
TENFOLD = (10.0, 0.1)
SUBTLE_FACTORS = (5.0, 4.0, 0.2, 0.25)
"""Factors of wrong doses, ordinary ones and those of the split `hard`."""
STOPPED_SHARE = 0.4
"""Share of the other errors whose scene mentions a medicine that was stopped."""
FORM_SHARE = 0.4
"""Share of the other errors whose scene holds an old injury and the form for its film."""
MARKS = {"left": "L", "right": "R"}
CHARTING: tuple[Speaker, ...] = (("Drug chart", "record"), ("Pharmacist", "pharmacist"), ("Nurse", "nurse"))
REPORTING: tuple[Speaker, ...] = (("Nurse", "nurse"), ("Resident", "resident"), ("Attending", "attending"))
UNDETERMINABLE_SHARE = 0.1
"""Share of changed values that are kept although they stay plausible."""


def simulated_problem(case: SimulatedCase, rng: random.Random) -> Problem:
    """A problem of the first kind, in random order, that this case allows."""
    return first_possible(
        shuffled_kinds(case, KINDS, rng), lambda kind: MAKERS[kind](case, _with_chart(case, kind, rng), rng)
    )


def _with_chart(case: SimulatedCase, kind: str, rng: random.Random) -> Scene:
    """The base scene with a drug chart, often with a medicine that was stopped, and often with a form for a film."""
    threads = case.words.threads
    chart = case.slot(
        "chart", threads.chart_line, case.speaker("chart", CHARTING),
        sex=case.person.sex, medicine=case.text("medication:comorbidity"),
    )  # fmt: skip
    slots = [chart]
    if kind == "error/drug" or rng.random() < STOPPED_SHARE:
        medicine = case.text("denied:medication")
        stopped = case.slot("stopped", threads.stopped_line, ("Pharmacist", "pharmacist"), medicine=medicine)
        slots.insert(rng.randrange(2), stopped)
    scene = case.place(case.base_scene, rng, *slots)
    if is_possible(case, "flag_laterality") and (kind == "error/laterality" or rng.random() < FORM_SHARE):
        scene = case.place(scene, rng, *_injury_and_form(case, rng))
    return scene


def _injury_and_form(case: SimulatedCase, rng: random.Random) -> list[Slot]:
    """An old injury of one side and the form with that side's letter, in either order."""
    injuries = case.words.threads.injuries
    joint = rng.choice([joint for joint in injuries.joints if joint.split()[-1] not in case.base_scene.text.lower()])
    side = rng.choice(("left", "right"))
    reporting, filing = rng.sample(REPORTING, 2)
    injury = case.slot("injury", injuries.injury_line, reporting, joint=joint, injured=side)
    form = case.slot("form", injuries.form_line, filing, joint=joint, mark=MARKS[side])
    return rng.sample([injury, form], 2)


def _decimal_shift(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    candidates = []
    for analyte_id in case.shown_labs:
        if not case.is_measured(analyte_id):
            continue
        analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
        for up in (True, False):
            shifted = shift_decimal(value, analyte.decimals, up)
            if float(shifted) != value:
                candidates.append((analyte_id, shifted, value_is_impossible(analyte, float(shifted))))
    rng.shuffle(candidates)
    keep_hidden = rng.random() < UNDETERMINABLE_SHARE
    for analyte_id, shifted, impossible in candidates:
        if impossible or keep_hidden:
            analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
            row = case.text(f"lab:{analyte_id}")
            after = row.replace(f" {number(value, analyte.decimals)}", f" {shifted}", 1)
            return _wrong_result(case, scene, analyte_id, after, "error/decimal_shift", impossible)
    raise LeftOut("no result that a shifted decimal point makes impossible")


def _wrong_result(
    case: SimulatedCase, scene: Scene, analyte_id: str, after: str, kind: str, determinable: bool
) -> Problem:
    return Problem(
        kind, "flag_lab_value", scene, "laboratory", case.row_of(analyte_id), after, determinable,
        claims={"printed_analyte": spoken_analyte(case.bank.analytes[analyte_id])},
    )  # fmt: skip


def _unit(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    """The number of one unit beside the name of the other; either unit is the right one in half of the pairs."""
    for analyte_id in rng.sample(case.shown_labs, len(case.shown_labs)):
        analyte, value = case.bank.analytes[analyte_id], case.value(f"lab:{analyte_id}")
        if analyte.other_unit is None or analyte.other_factor is None or not case.is_measured(analyte_id):
            continue
        factor = analyte.other_factor
        decimals = max(0, 2 - len(str(int(value * factor))) + 1)
        reference = reference_range(analyte, case.person)
        converted = [number(v * factor, decimals) for v in (value, reference.low, reference.high)]
        plain = [number(v, analyte.decimals) for v in (value, reference.low, reference.high)]
        in_other = rng.random() < 0.5
        shown, right, wrong = (
            (converted, analyte.other_unit, analyte.unit) if in_other else (plain, analyte.unit, analyte.other_unit)
        )
        read = value * factor if in_other else value / factor
        if not value_is_impossible(analyte, read):
            continue
        row = "{} {} {} (ref {}-{})"
        field = case.row_of(analyte_id)
        clean = scene.put("laboratory", **{field: row.format(analyte.name, shown[0], right, shown[1], shown[2])})
        after = row.format(analyte.name, shown[0], wrong, shown[1], shown[2])
        return _wrong_result(case, clean, analyte_id, after, "error/unit", True)
    raise LeftOut("no result that another unit makes impossible")


def _dose(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    slot, medication = case.doses[0]
    factors = SUBTLE_FACTORS if case.is_hard else TENFOLD
    drug = case.bank.drugs.get(medication.drug)
    wrong = [] if drug is None else wrong_doses(drug, medication, factors)
    if not wrong:
        raise LeftOut("no dose that a wrong factor makes recognisably wrong")
    field, text = ("order", case.order_text) if slot == "order" else ("m", case.text("medication:main"))
    dose = round(medication.dose * rng.choice(wrong), 6)
    after = text.replace(f"{medication.dose:g} {medication.unit}", f"{dose:g} {medication.unit}", 1)
    return Problem("error/dose", "flag_dose", scene, slot, field, after, claims={"dosed_drug": medication.drug})


def _sex(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    if case.condition.population.sex != "any":
        raise LeftOut("only one sex has the condition")
    return Problem("error/sex", "flag_identity", scene, "chart", "sex", case.person.other_sex)


def _age(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    age = case.person.age_years
    if age < 18:
        raise LeftOut("a child, whose age shows in everything")
    wrong = age + rng.choice((-1, 1)) * rng.randint(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS)
    if not 18 <= wrong <= 99:
        wrong = 2 * age - wrong
    if not 18 <= wrong <= 99:
        raise LeftOut("no other age of an adult")
    text = Person(float(wrong), case.person.sex, case.person.weight_kg).age
    return Problem("error/age", "flag_identity", scene, "chart", "age", text)


def _drug(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    after = case.text("denied:medication")
    return Problem("error/drug", "flag_drug", scene, "chart", "medicine", after, partner="stopped")


def _laterality(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    """The form has the letter of the other side. Letters are no words of the scene: counting them says nothing."""
    if "form" not in scene:
        raise LeftOut("too young for an old injury")
    mark = scene["form"].fields["mark"]
    other = next(letter for letter in MARKS.values() if letter != mark)
    return Problem("error/laterality", "flag_laterality", scene, "form", "mark", other, partner="injury")


MAKERS: Mapping[str, Callable[[SimulatedCase, Scene, random.Random], Problem]] = {
    "error/decimal_shift": _decimal_shift,
    "error/unit": _unit,
    "error/dose": _dose,
    "error/sex": _sex,
    "error/age": _age,
    "error/drug": _drug,
    "error/laterality": _laterality,
}
"""Kind -> what makes its problem in a simulated case."""


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
        return Problem("error/age", "flag_identity", scene, "label", "age", age)
    return Problem("error/sex", "flag_identity", scene, "label", "sex", case.person.other_sex)


def _recorded_vital(case: RecordedCase) -> Problem:
    """A reading with a shifted decimal point."""
    rng = case.rng("vital value")
    shifted = [(vital_id, after) for vital_id in case.shown_vitals for after in _shifted_vital(case, vital_id)]
    if not shifted:
        raise LeftOut("no vital sign that a decimal shift makes impossible")
    vital_id, after = rng.choice(shifted)
    return Problem(
        "error/decimal_shift", "flag_vital_value", case.base_scene, "observations", vital_id,
        case.vital_text(vital_id, printed=after), claims={"printed_vital": VITAL_PHRASES[vital_id][0]},
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
    claims = {"printed_analyte": result.spoken_name}
    return Problem(kind, "flag_lab_value", case.base_scene, "laboratory", result.analyte_id, row, claims=claims)


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
