"""Critical data alert (proactive; one of the two acts that the paper's abstract names, made a category by us).

Something dangerous is in the scene and nobody mentions it: an order or home medicine against a recorded allergy or a
past illness, or a critical laboratory value or vital sign.

Sample: "Recorded allergies: penicillin (an urticarial rash)." ... "Please give co-amoxiclav 1.2 g intravenously." ...
query "Could you write the admission line for the board?" -> "One thing first: co-amoxiclav conflicts with the recorded
allergy. Please check."

Labels: no_flag, flag_allergy, flag_contraindication, flag_critical_lab, flag_critical_vital. Metric: macro-F1.
Oracle: allergy groups and contraindications of the drug file; critical limits of the reference files. The clean twin
has an allergen, illness or value of the same frequency that is harmless here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bsft.bench.casefile import CaseFile
from bsft.bench.foils import ORDER_SHARE, order_conflicts
from bsft.bench.oracle import allergy_conflict, contraindicated, value_is_critical
from bsft.bench.perturb import Pair, beyond, place, row_of, row_text, spoken_analyte
from bsft.bench.records import Role, TaskSpec
from bsft.bench.simulate import VITAL_PHRASES
from bsft.bench.tasks.claims import conflict_drug, critical_analytes, quiet_vitals
from bsft.bench.tasks.twins import NO_FLAG, choose_kind

SPEC = TaskSpec(
    name="critical_data_alert",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_allergy", "flag_contraindication", "flag_critical_lab", "flag_critical_vital"],
    source="bsft",
)

KINDS = {"critical/allergy": 0.6, "critical/contraindication": 0.3, "critical/lab": 0.05, "critical/vital": 0.05}
HAZARD_SPEAKERS: tuple[tuple[str, Role], ...] = (
    ("Pharmacist", "pharmacist"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
MATCHED_KINDS = frozenset({"critical/allergy", "critical/contraindication"})


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, random.Random], Pair | None]] = {
        "critical/allergy": _allergy,
        "critical/contraindication": _contraindication,
        "critical/lab": _lab,
        "critical/vital": _vital,
    }
    first, *others = choose_kind(case, KINDS, rng)
    # Conflicts are never a way out for another kind: their frequencies are matched as they are drawn.
    others.sort(key=lambda kind: kind in MATCHED_KINDS)
    for kind in (first, *others):
        if (made := makers[kind](case, rng)) is not None:
            return made
    raise ValueError(f"{case.case.id} ({case.condition.id}): no critical finding can be made")


def _allergy(case: CaseFile, rng: random.Random) -> Pair | None:
    matched = case.foils.allergens
    drug = conflict_drug(case, matched)
    if drug is None or rng.random() > matched.weights[case.condition.id]:
        return None
    if rng.random() < ORDER_SHARE and (changed := _changed_order(case, rng)) is not None:
        return changed
    conflict = matched.conflict(case.condition.id, rng)
    return Pair(
        kind="critical/allergy",
        label="flag_allergy",
        clean=case.core,
        slot="allergy",
        field="allergies",
        after=case.allergies_text((conflict, *case.allergens[1:])),
        determinable=allergy_conflict(case.bank, conflict, [drug]),
        claims={"drug": drug},
        urgent=True,
    )


def _changed_order(case: CaseFile, rng: random.Random) -> Pair | None:
    """The first choice in place of the alternative, or the reverse, whichever the recorded allergy forbids.

    Either is the forbidden one in half of the pairs, so that neither order is commoner in perturbed scenes.
    """
    conflicts = order_conflicts(case.bank, case.condition)
    if conflicts is None:
        return None
    orders = (case.condition.first_line, case.condition.alternative)
    forbidden = rng.randrange(2)
    names = conflicts[forbidden]
    conflict = rng.choices(names, [case.bank.allergens[name].common ** 0.5 for name in names])[0]
    if allergy_conflict(case.bank, conflict, [case.home.drug]):
        return None
    scene = case.core.put("allergy", allergies=case.allergies_text((conflict, *case.allergens[1:])))
    return Pair(
        kind="critical/allergy",
        label="flag_allergy",
        clean=scene.put("order", order=orders[1 - forbidden].text),
        slot="order",
        field="order",
        after=orders[forbidden].text,
        claims={"drug": "what was just ordered"},
        urgent=True,
    )


def _contraindication(case: CaseFile, rng: random.Random) -> Pair | None:
    matched = case.foils.hazards
    drug = conflict_drug(case, matched)
    if drug is None or rng.random() > matched.weights[case.condition.id]:
        return None
    hazards = case.words.threads.hazards
    conflict = matched.conflict(case.condition.id, rng)
    speaker = case.speaker("hazard", HAZARD_SPEAKERS)
    line = case.slot("hazard", case.words.threads.hazard_line, speaker, z=hazards[matched.foil(case.condition.id, rng)])
    return Pair(
        kind="critical/contraindication",
        label="flag_contraindication",
        clean=place(case, case.core, rng, line),
        slot="hazard",
        field="z",
        after=hazards[conflict],
        determinable=contraindicated(case.bank, conflict, [drug]),
        claims={"hazard_drug": drug},
        urgent=True,
    )


def _lab(case: CaseFile, rng: random.Random) -> Pair | None:
    usable = critical_analytes(case)
    if not usable:
        return None
    analyte_id = rng.choice(usable)
    analyte = case.bank.analytes[analyte_id]
    critical = beyond(analyte.critical_low, analyte.critical_high, analyte.plausible, rng, subtle=case.is_hard)
    value = round(critical, analyte.decimals)
    return Pair(
        kind="critical/lab",
        label="flag_critical_lab",
        clean=case.core,
        slot="laboratory",
        field=row_of(case, analyte_id),
        after=row_text(case, analyte_id, value),
        determinable=value_is_critical(analyte, value),
        claims={"analyte": spoken_analyte(analyte)},
        urgent=True,
    )


def _vital(case: CaseFile, rng: random.Random) -> Pair | None:
    usable = quiet_vitals(case)
    if not usable:
        return None
    vital_id = rng.choice(usable)
    vital = case.bank.vitals[vital_id]
    critical = beyond(vital.critical_low, vital.critical_high, vital.plausible, rng, subtle=case.is_hard)
    value = round(critical, vital.decimals)
    return Pair(
        kind="critical/vital",
        label="flag_critical_vital",
        clean=case.core,
        slot="observations",
        field=f"v{case.vitals.index(vital_id)}",
        after=case.vital_text(vital_id, value),
        determinable=value_is_critical(vital, value),
        claims={"vital": VITAL_PHRASES[vital_id][0]},
        urgent=True,
    )
