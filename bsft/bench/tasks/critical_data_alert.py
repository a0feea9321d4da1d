"""Critical data alert.

Abstract: something dangerous is in the scene and nobody mentions it: an order against a recorded allergy, a past
    illness or failing kidneys, or a critical result or vital sign that was passed over.
Group: proactive. Source: ours; one of the two acts that the paper's abstract names.
Labels: no_flag, flag_allergy, flag_contraindication, flag_kidney, flag_critical_lab, flag_critical_vital (in recorded
    cases: no_flag, flag_critical_vital, flag_critical_lab).
Metric: macro-F1.
Oracle: allergy groups and contraindications of the drug file, the limits of kidney function in `problems.yaml`, the
    critical limits of the reference files. The clean twin has an allergen, illness or value that is harmless here; half
    of its values are abnormal, short of the limit. In recorded cases: the critical limits, of adults only.
Sample: "Allergies on the sheet: penicillin (hives)." ... "Let's start co-amoxiclav 1.2 g." and "A line for the board,
    please?" -> "Cough and fever for three days, treated as pneumonia. Before we go on: the record lists penicillin ..."
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bsft.bench.bank.reference_schema import Analyte, Vital
from bsft.bench.left_out import LeftOut
from bsft.bench.limits import critical_limits, reference_range
from bsft.bench.oracle import unsuitable, value_is_critical
from bsft.bench.problem import Problem, value_beyond_limit, value_within_limit
from bsft.bench.scene import Scene
from bsft.bench.simulated.allergies import conflicting, speak_against
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.claims import value_claim, vital_value
from bsft.bench.simulated.conversation import ATTENDING, CONSULTANT, NURSE, PHARMACIST, RESIDENT
from bsft.bench.spoken import VITAL_PHRASES, lab_row, measured, number, spoken_analyte
from bsft.bench.tasks.alerting import Kind, RecordedProblems, proactive_spec
from bsft.bench.wordings.problem_data import Contraindication, KidneyDrug

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

NEAR_LIMIT_SHARE = 0.5
"""Share of clean values that are abnormal and short of the limit; the others are normal."""
SLOWS_THE_STOMACH = ("GLP-1 receptor agonist",)
"""Classes of injections that nobody starts in somebody who vomits."""
ADULT_AGE_YEARS = 18
HYPERTENSION, RAISED_SYSTOLIC_MMHG = "for the blood pressure", 145
"""Nobody starts such a medicine at a lower pressure."""
SAFE_EGFR, LOWEST_EGFR = (62, 98), 6


# --- orders that something on record forbids ---


def _allergy(case: SimulatedCase, rng: random.Random) -> Problem:
    """One allergen on record is another one, which forbids a drug of the scene."""
    usable = [drug for drug in case.condition.first_line.drugs if conflicting(case.bank, drug, case.person.age_years)]
    scene, partner = case.scene("allergy", "order"), "order"
    if usable:
        drug = rng.choice(usable)
    else:
        data = case.words.problems
        orders: list[KidneyDrug | Contraindication] = [*data.kidney, *data.contraindications]
        entries = [
            entry
            for entry in orders
            if _suits(case, entry) and conflicting(case.bank, entry.drug, case.person.age_years)
        ]
        if not entries:
            raise LeftOut("no allergy forbids an order")
        entry = rng.choice(entries)
        drug = entry.drug
        scene, partner = _with_order(case, case.scene("allergy"), entry.order, rng), "extra"
    names = conflicting(case.bank, drug, case.person.age_years)
    allergen = rng.choices(names, [case.bank.allergens[name].common ** 0.5 for name in names])[0]
    after = case.allergies_text((allergen, *case.allergens[1:]))
    others = [name for name in case.condition.alternative.drugs if name not in case.condition.first_line.drugs]
    if partner == "extra":  # the case's own alternative replaces its main treatment only
        others = []
    claim = {
        "drug": drug, "allergen": allergen, "reaction": case.reaction(allergen),
        "drug_class": case.bank.drugs[drug].drug_class, "alternative": others[0] if others else "an alternative",
    }  # fmt: skip
    return Problem("critical/allergy", "flag_allergy", scene, "allergy", "allergies", after, claim, partner=partner)


def _contraindication(case: SimulatedCase, rng: random.Random) -> Problem:
    """The past illness that the notes add is one that forbids a medicine ordered besides."""
    entries = [entry for entry in case.words.problems.contraindications if _suits(case, entry)]
    if not entries:
        raise LeftOut("no medicine that could be ordered besides")
    entry = rng.choice(entries)
    data = case.words.problems
    forbidding = {other.illness for other in data.contraindications if other.drug == entry.drug}
    harmless = sorted(
        name
        for name in {other.illness for other in data.contraindications} - forbidding
        if not unsuitable(case.bank, data.states.get(name, name), [entry.drug, *case.drugs])
        and name.lower() not in case.illnesses
    )
    if not harmless:
        raise LeftOut("no illness that suits the medicine")
    scene = _with_order(case, case.scene("background"), entry.order, rng, illness=rng.choice(harmless))
    claim = {"drug": entry.drug, "illness": entry.illness, "harm": entry.harm}
    return Problem(
        "critical/contraindication", "flag_contraindication", scene, "illness", "z", entry.illness, claim,
        partner="extra",
    )  # fmt: skip


def _with_order(case: SimulatedCase, scene: Scene, order: str, rng: random.Random, *, illness: str = "") -> Scene:
    """The scene with a medicine ordered besides, and perhaps an illness that the notes add."""
    words = case.words.situations
    asker = rng.choice((ATTENDING, CONSULTANT, RESIDENT))
    slots = [case.slot("extra", words.extra_order, asker, extra=order)]
    if illness:
        teller = rng.choice((RESIDENT, PHARMACIST, NURSE))
        slots.insert(0, case.slot("illness", words.past_illness, teller, z=illness))
    return case.place(scene, rng, *slots)


def _suits(case: SimulatedCase, entry: Contraindication | KidneyDrug) -> bool:
    """Whether a medicine may be ordered besides in this case, and suits its own illnesses."""
    condition = case.condition
    drug = case.bank.drugs[entry.drug]
    used = {*condition.first_line.drugs, *condition.alternative.drugs, *(m.drug for m in condition.medications)}
    states = [state.lower() for state in (*drug.avoid_in, *drug.caution_in)]
    return (
        case.person.age_years >= ADULT_AGE_YEARS
        and not {condition.id, condition.specialty} & set(entry.unless)
        and not any(word.lower() in case.words_of_case for word in (*entry.unless, *states))
        and entry.drug not in used
        and not speak_against(case.bank, case.allergens, entry.drug)
        and (HYPERTENSION not in entry.order or case.vital("systolic_bp_mmhg") >= RAISED_SYSTOLIC_MMHG)
        and not (case.takes_no_tablets and ("by mouth" in entry.order or drug.drug_class in SLOWS_THE_STOMACH))
        and (isinstance(entry, KidneyDrug) or _illness_fits(case, entry.illness))
    )


def _illness_fits(case: SimulatedCase, illness: str) -> bool:
    """Whether the notes may add an illness: it is new to the case and forbids none of its own medicines."""
    state = case.words.problems.states.get(illness, illness)
    return illness.lower() not in case.words_of_case and not unsuitable(case.bank, state, case.drugs)


def _kidney(case: SimulatedCase, rng: random.Random) -> Problem:
    """The estimated kidney function in the table is too low for a medicine ordered besides."""
    if {"creatinine", "egfr", "urea"} & {*case.condition.labs, *case.shown_labs}:
        raise LeftOut("the condition itself changes the kidney function, or the table shows it")
    entries = [entry for entry in case.words.problems.kidney if _suits(case, entry)]
    if not entries:
        raise LeftOut("no medicine that failing kidneys forbid")
    entry = rng.choice(entries)
    egfr = case.bank.analytes["egfr"]
    reference = reference_range(egfr, case.person)
    failing = LOWEST_EGFR, int(entry.limit_egfr) - 1
    before, after = (lab_row(egfr, float(rng.randint(*bounds)), reference) for bounds in (SAFE_EGFR, failing))
    row = case.row_of(rng.choice(case.normal_labs or list(case.shown_labs)))
    scene = _with_order(case, case.scene("laboratory").put("laboratory", **{row: before}), entry.order, rng)
    claim = {"drug": entry.drug, "egfr": after.removeprefix(egfr.name).split()[0], "harm": entry.harm}
    return Problem("critical/kidney", "flag_kidney", scene, "laboratory", row, after, claim, partner="extra")


# --- values that call for action ---


def _lab(case: SimulatedCase, rng: random.Random) -> Problem:
    """A result that the condition leaves alone is critical."""
    analytes = case.bank.analytes
    harms = case.words.problems.harms
    usable = [a for a in case.normal_labs if harms.of(a) and _has_limits(case, analytes[a])]
    if not usable:
        raise LeftOut("no normal result with critical limits in the table")
    analyte_id = rng.choice(usable)
    analyte = analytes[analyte_id]
    reference = reference_range(analyte, case.person)
    limits = critical_limits(analyte, case.person)
    value = round(value_beyond_limit(limits, analyte.plausible, rng, subtle=case.level == 4), analyte.decimals)
    if not value_is_critical(analyte, value, limits):
        raise LeftOut("a value beyond its critical limit that is printed as the limit itself")
    scene = case.scene("laboratory")
    near = value_within_limit(limits, reference, rng)
    if near is not None and rng.random() < NEAR_LIMIT_SHARE:
        row = lab_row(analyte, round(near, analyte.decimals), reference)
        scene = scene.put("laboratory", **{case.row_of(analyte_id): row})
    after = lab_row(analyte, value, reference)
    claim = value_claim(
        case, analyte_id, spoken_analyte(analyte), measured(analyte, value), is_low=value < reference.low
    )
    return Problem(
        "critical/lab", "flag_critical_lab", scene, "laboratory", case.row_of(analyte_id), after, claim
    )  # fmt: skip


def _has_limits(case: SimulatedCase, entry: Analyte | Vital) -> bool:
    return critical_limits(entry, case.person) != (None, None)


def _vital(case: SimulatedCase, rng: random.Random) -> Problem:
    """A vital sign that the condition leaves alone is critical."""
    if not case.normal_vitals:
        raise LeftOut("no vital sign with critical limits that the condition leaves alone")
    vital_id = rng.choice(case.normal_vitals)
    vital = case.bank.vitals[vital_id]
    limits = critical_limits(vital, case.person)
    value = round(value_beyond_limit(limits, vital.plausible, rng, subtle=case.level == 4), vital.decimals)
    if not value_is_critical(vital, value, limits):
        raise LeftOut("a value beyond its critical limit that is read out as the limit itself")
    field = f"v{case.shown_vitals.index(vital_id)}"
    scene = case.scene("observations")
    near = value_within_limit(limits, reference_range(vital, case.person), rng)
    if near is not None and rng.random() < NEAR_LIMIT_SHARE:
        scene = scene.put("observations", **{field: case.vital_text(vital_id, round(near, vital.decimals))})
    is_low = limits[0] is not None and value <= limits[0]
    claim = value_claim(case, vital_id, VITAL_PHRASES[vital_id][0], vital_value(case, vital_id, value), is_low=is_low)
    after = case.vital_text(vital_id, value)
    return Problem("critical/vital", "flag_critical_vital", scene, "observations", field, after, claim)


KINDS = (
    Kind("critical/allergy", "flag_allergy", "core", _allergy, 1.6),
    Kind("critical/contraindication", "flag_contraindication", "core", _contraindication, 1.3),
    Kind("critical/kidney", "flag_kidney", "numeric_inference", _kidney, 3.0),
    Kind("critical/lab", "flag_critical_lab", "numeric_inference", _lab),
    Kind("critical/vital", "flag_critical_vital", "core", _vital),
)

SPEC = proactive_spec("critical_data_alert", KINDS, "bsft")


def _recorded_vital(case: RecordedCase) -> Problem:
    """A vital sign beyond its critical limit."""
    if not case.is_adult:
        raise LeftOut("a child, whose critical limits differ")
    rng = case.rng("critical vital")
    usable = [vital_id for vital_id in case.quiet_vitals if case.is_normal(vital_id)]
    if not usable:
        raise LeftOut("no normal vital sign that nothing else in the record speaks of")
    vital_id = rng.choice(usable)
    vital = case.bank.vitals[vital_id]
    limits = vital.critical_low, vital.critical_high
    value = round(value_beyond_limit(limits, vital.plausible, rng, subtle=False), vital.decimals)
    return Problem(
        "critical/vital", "flag_critical_vital", case.base_scene, "observations", vital_id,
        case.vital_text(vital_id, value), {"vital": VITAL_PHRASES[vital_id][0]},
    )  # fmt: skip


def _recorded_result(case: RecordedCase) -> Problem:
    """A result beyond the limit at which laboratories telephone."""
    if not case.is_adult:
        raise LeftOut("a child, whose critical limits differ")
    rng = case.rng("critical lab")
    usable = [
        result
        for result in case.quiet_results
        if (result.analyte.critical_low, result.analyte.critical_high) != (None, None)
        and result.limits is not None
        and result.reading == "normal"
    ]
    if not usable:
        raise LeftOut("no normal result with critical limits that nothing else in the record speaks of")
    result = rng.choice(usable)
    analyte = result.analyte
    limits = analyte.critical_low, analyte.critical_high
    critical = value_beyond_limit(limits, analyte.plausible, rng, subtle=False)
    printed = number(critical / result.factor, result.decimals)
    if not value_is_critical(analyte, float(printed) * result.factor):
        raise LeftOut("a value beyond its critical limit that is printed as the limit itself")
    return Problem(
        "critical/lab", "flag_critical_lab", case.base_scene, "laboratory", result.analyte_id,
        result.row(printed), {"analyte": result.spoken_name},
    )  # fmt: skip


RECORDED_PROBLEMS: RecordedProblems = {"flag_critical_vital": _recorded_vital, "flag_critical_lab": _recorded_result}
