"""Error correction (proactive, from the paper's first figure; the kinds of error are ours).

A printed value, unit, dose, side, age, sex or medicine is wrong, and the agent, asked for something else, says so.

Sample: "Sodium 1380 mmol/L (ref 133-146)" ... query "Please put a title on the handover entry." -> "Please hold on: the
sodium in the table looks like an error."

Labels: no_flag, flag_lab_value, flag_dose, flag_identity, flag_drug, flag_laterality. Metric: macro-F1.
Oracle: a value outside what is compatible with life, a dose far outside the usual range, or a chart that disagrees
with what was said. A value that stays plausible after the change is not determinable and is labelled no_flag.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bsft.bench.casefile import CaseFile
from bsft.bench.oracle import value_is_impossible, wrong_doses
from bsft.bench.person import Person
from bsft.bench.perturb import Pair, place, row_of, shift_decimal, spoken_analyte
from bsft.bench.records import Role, TaskSpec
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulate import number, reference_range
from bsft.bench.tasks.claims import dosable, is_measured, result
from bsft.bench.tasks.twins import NO_FLAG, choose_kind, possible

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

TENFOLD = (10.0, 0.1)
SUBTLE_FACTORS = (5.0, 4.0, 0.2, 0.25)
"""Factors of wrong doses, ordinary ones and those of the split `hard`."""
STOPPED_SHARE = 0.4
"""Share of the other errors whose scene mentions a medicine that was stopped."""
FORM_SHARE = 0.4
"""Share of the other errors whose scene holds an old injury and the form for its film."""
MARKS = {"left": "L", "right": "R"}
CHARTING: tuple[tuple[str, Role], ...] = (("Drug chart", "record"), ("Pharmacist", "pharmacist"), ("Nurse", "nurse"))
REPORTING: tuple[tuple[str, Role], ...] = (("Nurse", "nurse"), ("Resident", "resident"), ("Attending", "attending"))
UNDETERMINABLE_SHARE = 0.1
"""Share of changed values that are kept although they stay plausible."""


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, Scene, random.Random], Pair | None]] = {
        "error/decimal_shift": _decimal_shift,
        "error/unit": _unit,
        "error/dose": _dose,
        "error/sex": _sex,
        "error/age": _age,
        "error/drug": _drug,
        "error/laterality": _laterality,
    }
    for kind in choose_kind(case, KINDS, rng):
        if (made := makers[kind](case, _with_chart(case, kind, rng), rng)) is not None:
            return made
    raise ValueError(f"{case.case.id} ({case.condition.id}): no error can be made")


def _with_chart(case: CaseFile, kind: str, rng: random.Random) -> Scene:
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
    scene = place(case, case.core, rng, *slots)
    if possible(case, "flag_laterality") and (kind == "error/laterality" or rng.random() < FORM_SHARE):
        scene = place(case, scene, rng, *_injury_and_form(case, rng))
    return scene


def _injury_and_form(case: CaseFile, rng: random.Random) -> list[Slot]:
    """An old injury of one side and the form with that side's letter, in either order."""
    injuries = case.words.threads.injuries
    joint = rng.choice([joint for joint in injuries.joints if joint.split()[-1] not in case.core.text.lower()])
    side = rng.choice(("left", "right"))
    reporting, filing = rng.sample(REPORTING, 2)
    injury = case.slot("injury", injuries.injury_line, reporting, joint=joint, injured=side)
    form = case.slot("form", injuries.form_line, filing, joint=joint, mark=MARKS[side])
    return rng.sample([injury, form], 2)


def _decimal_shift(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    candidates = []
    for analyte_id in case.labs:
        if not is_measured(case, analyte_id):
            continue
        analyte, value = case.bank.analytes[analyte_id], result(case, analyte_id)
        for up in (True, False):
            shifted = shift_decimal(value, analyte.decimals, up)
            if float(shifted) != value:
                candidates.append((analyte_id, shifted, value_is_impossible(analyte, float(shifted))))
    rng.shuffle(candidates)
    keep_hidden = rng.random() < UNDETERMINABLE_SHARE
    for analyte_id, shifted, impossible in candidates:
        if impossible or keep_hidden:
            analyte, value = case.bank.analytes[analyte_id], result(case, analyte_id)
            row = case.text(f"lab:{analyte_id}")
            after = row.replace(f" {number(value, analyte.decimals)}", f" {shifted}", 1)
            return _lab_pair(case, scene, analyte_id, after, "error/decimal_shift", impossible)
    return None


def _lab_pair(case: CaseFile, scene: Scene, analyte_id: str, after: str, kind: str, determinable: bool) -> Pair:
    return Pair(
        kind, "flag_lab_value", scene, "laboratory", row_of(case, analyte_id), after, determinable,
        claims={"printed_analyte": spoken_analyte(case.bank.analytes[analyte_id])},
    )  # fmt: skip


def _unit(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    """The number of one unit beside the name of the other; either unit is the right one in half of the pairs."""
    for analyte_id in rng.sample(case.labs, len(case.labs)):
        analyte, value = case.bank.analytes[analyte_id], result(case, analyte_id)
        if analyte.other_unit is None or analyte.other_factor is None or not is_measured(case, analyte_id):
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
        field = row_of(case, analyte_id)
        clean = scene.put("laboratory", **{field: row.format(analyte.name, shown[0], right, shown[1], shown[2])})
        after = row.format(analyte.name, shown[0], wrong, shown[1], shown[2])
        return _lab_pair(case, clean, analyte_id, after, "error/unit", True)
    return None


def _dose(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    slot, medication = dosable(case)[0]
    factors = SUBTLE_FACTORS if case.is_hard else TENFOLD
    drug = case.bank.drugs.get(medication.drug)
    wrong = [] if drug is None else wrong_doses(drug, medication, factors)
    if not wrong:
        return None
    field, text = ("order", case.order_text) if slot == "order" else ("m", case.text("medication:main"))
    dose = round(medication.dose * rng.choice(wrong), 6)
    after = text.replace(f"{medication.dose:g} {medication.unit}", f"{dose:g} {medication.unit}", 1)
    return Pair("error/dose", "flag_dose", scene, slot, field, after, claims={"dosed_drug": medication.drug})


def _sex(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    if case.condition.population.sex != "any":
        return None
    other = "male" if case.person.sex == "female" else "female"
    return Pair("error/sex", "flag_identity", scene, "chart", "sex", other)


def _age(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    age = case.person.age_years
    if age < 18:
        return None
    wrong = age + rng.choice((-1, 1)) * rng.randint(12, 30)
    if not 18 <= wrong <= 99:
        wrong = 2 * age - wrong
    if not 18 <= wrong <= 99:
        return None
    text = Person(float(wrong), case.person.sex, case.person.weight_kg).age
    return Pair("error/age", "flag_identity", scene, "chart", "age", text)


def _drug(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    after = case.text("denied:medication")
    return Pair("error/drug", "flag_drug", scene, "chart", "medicine", after, partner="stopped")


def _laterality(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    """The form has the letter of the other side. Letters are no words of the scene: counting them says nothing."""
    if "form" not in scene:
        return None
    mark = scene["form"].fields["mark"]
    other = next(letter for letter in MARKS.values() if letter != mark)
    return Pair("error/laterality", "flag_laterality", scene, "form", "mark", other, partner="injury")
