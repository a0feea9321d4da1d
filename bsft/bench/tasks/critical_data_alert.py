"""Critical data alert.

Abstract: something dangerous is in the scene and nobody mentions it: an order or home medicine against a recorded
    allergy or a past illness, or a critical laboratory value or vital sign.
Group: proactive. Source: ours; one of the two acts that the paper's abstract names.
Labels: no_flag, flag_allergy, flag_contraindication, flag_critical_lab, flag_critical_vital (in recorded cases:
    no_flag, flag_critical_vital, flag_critical_lab).
Metric: macro-F1.
Oracle: allergy groups and contraindications of the drug file; critical limits of the reference files. The clean twin
    has an allergen, illness or value of the same frequency that is harmless here. In recorded cases: the critical
    limits, of adults only; the clean value is normal, and nothing else in the record speaks of it.
Sample: "Recorded allergies: penicillin (an urticarial rash)." ... "Please give co-amoxiclav 1.2 g intravenously." and
    "Could you write the admission line for the board?" -> "One thing first: co-amoxiclav conflicts with the recorded
    allergy. Please check."
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import permutations
from typing import TYPE_CHECKING

from bsft.bench.left_out import LeftOut
from bsft.bench.limits import critical_limits, reference_range
from bsft.bench.oracle import allergy_conflict, contraindicated, unsuitable, value_is_critical
from bsft.bench.problem import Problem, value_beyond_limit
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Speaker
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.matched_allergens import ORDER_SHARE, unnamed_order_conflicts
from bsft.bench.spoken import VITAL_PHRASES, lab_row, number, spoken_analyte
from bsft.bench.tasks.alerting import CLINICIANS, RecordedProblems, first_possible, shuffled_kinds
from bsft.bench.wordings import Extra
from bsft.records.schema import TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

SPEC = TaskSpec(
    name="critical_data_alert",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_allergy", "flag_contraindication", "flag_critical_lab", "flag_critical_vital"],
    source="bsft",
)

KINDS = {"critical/allergy": 0.5, "critical/contraindication": 0.22, "critical/lab": 0.14, "critical/vital": 0.14}
"""Not every case allows an allergy or a contraindication: about equally many of each kind come of these weights."""
HAZARD_SPEAKERS: tuple[Speaker, ...] = (
    ("Pharmacist", "pharmacist"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
ORDER_EDIT_SHARE = 0.3
"""Share of contraindications in which the medicine is changed and the illness stays."""
BYSTANDER_SHARE = 0.8
"""Share of the other scenes that also hold a past illness and a medicine ordered besides."""


def simulated_problem(case: SimulatedCase, rng: random.Random) -> Problem:
    """A problem of the first kind, in random order, that this case allows."""
    first, *others = shuffled_kinds(case, KINDS, rng)
    # An allergy is never a way out for another kind: its frequencies are matched as they are drawn.
    others.sort(key=lambda kind: kind == "critical/allergy")
    return first_possible((first, *others), lambda kind: MAKERS[kind](case, rng))


def _allergy(case: SimulatedCase, rng: random.Random) -> Problem:
    matched, drug = case.matched_allergens, case.conflict_drug
    if drug is None or rng.random() > matched.weights[case.condition.id]:
        raise LeftOut("no drug that an allergy of matched frequency forbids")
    if rng.random() < ORDER_SHARE:
        with suppress(LeftOut):
            return _changed_order(case, rng)
    conflict = matched.draw_conflicting(case.condition.id, rng)
    scene, hazard_claims = _with_harmless_order(case, rng)
    after = case.allergies_text((conflict, *case.allergens[1:]))
    claims = {**hazard_claims, "drug": drug, "allergen": conflict}
    return Problem(
        "critical/allergy", "flag_allergy", scene, "allergy", "allergies", after,
        allergy_conflict(case.bank, conflict, [drug]), claims,
        partner="order" if matched.targets[case.condition.id].ordered else "background",
    )  # fmt: skip


def _with_harmless_order(case: SimulatedCase, rng: random.Random) -> tuple[Scene, dict[str, str]]:
    """The base scene, mostly with a harmless pair of a past illness and a medicine ordered besides, and what a wrong
    concern about the pair would name: were only right ones to name such medicines, their names would give them away."""
    crossed = _crossed_pairs(case) if rng.random() < BYSTANDER_SHARE else []
    if not crossed:
        return case.base_scene, {}
    (extra, _), (_, hazard) = rng.choice(crossed)
    return _with_extra(case, extra, hazard, rng), _hazard_claims(case, extra, hazard, rng.random() < ORDER_EDIT_SHARE)


def _hazard_claims(case: SimulatedCase, extra: Extra, hazard: str, order_edited: bool) -> dict[str, str]:
    drug = "what was ordered besides" if order_edited else extra.drug
    return {"hazard_drug": drug, "hazard": case.words.threads.hazards[hazard]}


def _changed_order(case: SimulatedCase, rng: random.Random) -> Problem:
    """The first choice in place of the alternative, or the reverse, whichever the recorded allergy forbids.

    Either is the forbidden one in half of the pairs, so that neither order is commoner in perturbed scenes.
    """
    conflicts = unnamed_order_conflicts(case.bank, case.condition)
    if conflicts is None:
        raise LeftOut("no allergy tells first choice and alternative apart")
    orders = (case.condition.first_line, case.condition.alternative)
    forbidden = rng.randrange(2)
    names = conflicts[forbidden]
    conflict = rng.choices(names, [case.bank.allergens[name].common ** 0.5 for name in names])[0]
    if allergy_conflict(case.bank, conflict, [case.home_medicine.drug]):
        raise LeftOut("the allergy forbids the home medicine, too")
    scene, hazard_claims = _with_harmless_order(case, rng)
    scene = scene.put("allergy", allergies=case.allergies_text((conflict, *case.allergens[1:])))
    scene, after = scene.put("order", order=orders[1 - forbidden].text), orders[forbidden].text
    claims = {**hazard_claims, "drug": "what was just ordered", "allergen": conflict}
    return Problem("critical/allergy", "flag_allergy", scene, "order", "order", after, claims=claims, partner="allergy")


def _contraindication(case: SimulatedCase, rng: random.Random) -> Problem:
    """A medicine ordered besides and a past illness: of two of each, every medicine forbids one illness only.

    All four combinations are equally common, the two harmless ones in clean scenes and the others in perturbed ones.
    """
    crossed = _crossed_pairs(case)
    if not crossed:
        raise LeftOut("no two medicines and illnesses of which each medicine forbids one")
    (extra, hazard), (other_extra, other_hazard) = rng.choice(crossed)
    order_edited = rng.random() < ORDER_EDIT_SHARE
    if order_edited:
        scene = _with_extra(case, other_extra, hazard, rng)
        slot, field, after, partner = "extra", "extra", extra.order, "hazard"
    else:
        scene = _with_extra(case, extra, other_hazard, rng)
        slot, field, after, partner = "hazard", "z", case.words.threads.hazards[hazard], "extra"
    return Problem(
        "critical/contraindication", "flag_contraindication", scene, slot, field, after,
        contraindicated(case.bank, hazard, [extra.drug]), _hazard_claims(case, extra, hazard, order_edited),
        partner=partner,
    )  # fmt: skip


def _with_extra(case: SimulatedCase, extra: Extra, hazard: str, rng: random.Random) -> Scene:
    threads = case.words.threads
    order = case.slot("extra", threads.extras.order_line, case.speaker("extra", CLINICIANS), extra=extra.order)
    line = case.slot("hazard", threads.hazard_line, case.speaker("hazard", HAZARD_SPEAKERS), z=threads.hazards[hazard])
    return case.place(case.base_scene, rng, *rng.sample([order, line], 2))


def _crossed_pairs(case: SimulatedCase) -> list[tuple[tuple[Extra, str], tuple[Extra, str]]]:
    """Two medicines, each with an illness that forbids it and suits the other; the rest of the case minds neither."""
    bank = case.bank
    harmless = sorted(_harmless(case))
    found = []
    for first, second in permutations(_extras(case), 2):
        own, other = (
            [
                state
                for state in harmless
                if contraindicated(bank, state, [forbidden.drug]) and not unsuitable(bank, state, [suiting.drug])
            ]
            for forbidden, suiting in ((first, second), (second, first))
        )
        found += [((first, h), (second, g)) for h in own for g in other]
    return found


def _extras(case: SimulatedCase) -> list[Extra]:
    """Medicines that may be ordered besides in this case, and that suit its own illnesses."""
    extras, condition = case.words.threads.extras, case.condition
    if case.person.age_years < extras.min_age_years:
        return []
    used = {*condition.first_line.drugs, *condition.alternative.drugs, *(m.drug for m in condition.medications)}
    illnesses, drugs = _illnesses(case), case.bank.drugs
    return [
        extra
        for extra in extras.medicines
        if condition.id not in extra.unless
        and condition.specialty not in extra.unless
        and extra.drug not in used
        and not any(
            case.words.threads.hazards.get(state, state).lower() in illnesses
            for state in (*drugs[extra.drug].avoid_in, *drugs[extra.drug].caution_in)
        )
    ]


def _illnesses(case: SimulatedCase) -> str:
    """What the patient has or may have, in lower case; a raised creatinine stands for impaired kidneys."""
    names = [case.condition.name, *(entry.name for entry in case.condition.history), case.text("history:comorbidity")]
    if "creatinine" in case.condition.labs:
        names.append("severe renal impairment")
    return "; ".join(names).lower()


def _harmless(case: SimulatedCase) -> set[str]:
    """Past illnesses that the case does not mention and that suit all of its medicines."""
    names = case.words.threads.hazards
    shown = [*case.condition.first_line.drugs, *case.condition.alternative.drugs, case.home_medicine.drug]
    shown.append(case.facts["medication:comorbidity"].name)
    spoken = " ".join([case.base_scene.text, case.condition.name, *(h.name for h in case.condition.history)]).lower()
    return {
        state
        for state, name in names.items()
        if name.lower().split()[-1] not in spoken and not unsuitable(case.bank, state, shown)
    }


def _lab(case: SimulatedCase, rng: random.Random) -> Problem:
    if not (usable := case.quiet_labs):
        raise LeftOut("no normal result with critical limits in the table")
    analyte_id = rng.choice(usable)
    analyte = case.bank.analytes[analyte_id]
    limits = critical_limits(analyte, case.person)
    value = round(value_beyond_limit(limits, analyte.plausible, rng, subtle=case.is_hard), analyte.decimals)
    scene, hazard_claims = _with_harmless_order(case, rng)
    after = lab_row(analyte, value, reference_range(analyte, case.person))
    return Problem(
        "critical/lab", "flag_critical_lab", scene, "laboratory", case.row_of(analyte_id), after,
        value_is_critical(analyte, value), {**hazard_claims, "analyte": spoken_analyte(analyte)},
    )  # fmt: skip


def _vital(case: SimulatedCase, rng: random.Random) -> Problem:
    if not (usable := case.quiet_vitals):
        raise LeftOut("no vital sign with critical limits that the condition leaves alone")
    vital_id = rng.choice(usable)
    vital = case.bank.vitals[vital_id]
    limits = critical_limits(vital, case.person)
    value = round(value_beyond_limit(limits, vital.plausible, rng, subtle=case.is_hard), vital.decimals)
    scene, hazard_claims = _with_harmless_order(case, rng)
    field, after = f"v{case.shown_vitals.index(vital_id)}", case.vital_text(vital_id, value)
    return Problem(
        "critical/vital", "flag_critical_vital", scene, "observations", field, after,
        value_is_critical(vital, value, limits), {**hazard_claims, "vital": VITAL_PHRASES[vital_id][0]},
    )  # fmt: skip


MAKERS: Mapping[str, Callable[[SimulatedCase, random.Random], Problem]] = {
    "critical/allergy": _allergy,
    "critical/contraindication": _contraindication,
    "critical/lab": _lab,
    "critical/vital": _vital,
}
"""Kind -> what makes its problem in a simulated case."""


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
    if not value_is_critical(vital, value):
        raise LeftOut("a value beyond its critical limit that is printed as the limit itself")
    return Problem(
        "critical/vital", "flag_critical_vital", case.base_scene, "observations", vital_id,
        case.vital_text(vital_id, value), claims={"vital": VITAL_PHRASES[vital_id][0]},
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
        result.row(printed), claims={"analyte": result.spoken_name},
    )  # fmt: skip


RECORDED_PROBLEMS: RecordedProblems = {"flag_critical_vital": _recorded_vital, "flag_critical_lab": _recorded_result}
