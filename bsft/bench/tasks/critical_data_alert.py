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
from itertools import permutations

from bsft.bench.casefile import CaseFile
from bsft.bench.foils import ORDER_SHARE, unnamed_order_conflicts
from bsft.bench.oracle import allergy_conflict, contraindicated, unsuitable, value_is_critical
from bsft.bench.perturb import Pair, beyond, place, row_of, row_text, spoken_analyte
from bsft.bench.records import Role, TaskSpec
from bsft.bench.scene import Scene
from bsft.bench.simulate import VITAL_PHRASES, critical_limits
from bsft.bench.tasks.claims import conflict_drug, critical_analytes, quiet_vitals
from bsft.bench.tasks.twins import NO_FLAG, choose_kind
from bsft.bench.wordings import Extra

SPEC = TaskSpec(
    name="critical_data_alert",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_allergy", "flag_contraindication", "flag_critical_lab", "flag_critical_vital"],
    source="bsft",
)

KINDS = {"critical/allergy": 0.5, "critical/contraindication": 0.22, "critical/lab": 0.14, "critical/vital": 0.14}
"""Not every case allows an allergy or a contraindication: about equally many of each kind come of these weights."""
HAZARD_SPEAKERS: tuple[tuple[str, Role], ...] = (
    ("Pharmacist", "pharmacist"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
ORDERING: tuple[tuple[str, Role], ...] = (
    ("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
ORDER_EDIT_SHARE = 0.3
"""Share of contraindications in which the medicine is changed and the illness stays."""
BYSTANDER_SHARE = 0.8
"""Share of the other scenes that also hold a past illness and a medicine ordered besides."""


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, random.Random], Pair | None]] = {
        "critical/allergy": _allergy,
        "critical/contraindication": _contraindication,
        "critical/lab": _lab,
        "critical/vital": _vital,
    }
    first, *others = choose_kind(case, KINDS, rng)
    # An allergy is never a way out for another kind: its frequencies are matched as they are drawn.
    others.sort(key=lambda kind: kind == "critical/allergy")
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
    scene, hazard_claims = _bystanding(case, rng)
    return Pair(
        kind="critical/allergy",
        label="flag_allergy",
        clean=scene,
        slot="allergy",
        field="allergies",
        partner="order" if matched.targets[case.condition.id].ordered else "background",
        after=case.allergies_text((conflict, *case.allergens[1:])),
        determinable=allergy_conflict(case.bank, conflict, [drug]),
        claims={**hazard_claims, "drug": drug, "allergen": conflict},
        urgent=True,
    )


def _bystanding(case: CaseFile, rng: random.Random) -> tuple[Scene, dict[str, str]]:
    """The base scene, mostly with a harmless pair of a past illness and a medicine ordered besides, and what a wrong
    concern about the pair would name: were only right ones to name such medicines, their names would give them away."""
    chosen = _square(case, rng) if rng.random() < BYSTANDER_SHARE else None
    if chosen is None:
        return case.core, {}
    (extra, _), (_, hazard) = chosen
    return _with_extra(case, extra, hazard, rng), _hazard_claims(case, extra, hazard, rng.random() < ORDER_EDIT_SHARE)


def _hazard_claims(case: CaseFile, extra: Extra, hazard: str, order_edited: bool) -> dict[str, str]:
    drug = "what was ordered besides" if order_edited else extra.drug
    return {"hazard_drug": drug, "hazard": case.words.threads.hazards[hazard]}


def _changed_order(case: CaseFile, rng: random.Random) -> Pair | None:
    """The first choice in place of the alternative, or the reverse, whichever the recorded allergy forbids.

    Either is the forbidden one in half of the pairs, so that neither order is commoner in perturbed scenes.
    """
    conflicts = unnamed_order_conflicts(case.bank, case.condition)
    if conflicts is None:
        return None
    orders = (case.condition.first_line, case.condition.alternative)
    forbidden = rng.randrange(2)
    names = conflicts[forbidden]
    conflict = rng.choices(names, [case.bank.allergens[name].common ** 0.5 for name in names])[0]
    if allergy_conflict(case.bank, conflict, [case.home.drug]):
        return None
    scene, hazard_claims = _bystanding(case, rng)
    scene = scene.put("allergy", allergies=case.allergies_text((conflict, *case.allergens[1:])))
    return Pair(
        kind="critical/allergy",
        label="flag_allergy",
        clean=scene.put("order", order=orders[1 - forbidden].text),
        slot="order",
        field="order",
        partner="allergy",
        after=orders[forbidden].text,
        claims={**hazard_claims, "drug": "what was just ordered", "allergen": conflict},
        urgent=True,
    )


def _contraindication(case: CaseFile, rng: random.Random) -> Pair | None:
    """A medicine ordered besides and a past illness: of two of each, every medicine forbids one illness only.

    All four combinations are equally common, the two harmless ones in clean scenes and the others in perturbed ones.
    """
    chosen = _square(case, rng)
    if chosen is None:
        return None
    (extra, hazard), (other_extra, other_hazard) = chosen
    order_edited = rng.random() < ORDER_EDIT_SHARE
    if order_edited:
        scene = _with_extra(case, other_extra, hazard, rng)
        slot, field, after, partner = "extra", "extra", extra.order, "hazard"
    else:
        scene = _with_extra(case, extra, other_hazard, rng)
        slot, field, after, partner = "hazard", "z", case.words.threads.hazards[hazard], "extra"
    return Pair(
        kind="critical/contraindication",
        label="flag_contraindication",
        clean=scene,
        slot=slot,
        field=field,
        after=after,
        determinable=contraindicated(case.bank, hazard, [extra.drug]),
        claims=_hazard_claims(case, extra, hazard, order_edited),
        urgent=True,
        partner=partner,
    )


def _with_extra(case: CaseFile, extra: Extra, hazard: str, rng: random.Random) -> Scene:
    threads = case.words.threads
    order = case.slot("extra", threads.extras.order_line, case.speaker("extra", ORDERING), extra=extra.order)
    line = case.slot("hazard", threads.hazard_line, case.speaker("hazard", HAZARD_SPEAKERS), z=threads.hazards[hazard])
    return place(case, case.core, rng, *rng.sample([order, line], 2))


def _square(case: CaseFile, rng: random.Random) -> tuple[tuple[Extra, str], tuple[Extra, str]] | None:
    """Two medicines, each with an illness that forbids it and suits the other; the rest of the case minds neither."""
    bank = case.bank
    harmless = sorted(_harmless(case))
    squares = []
    for first, second in permutations(_extras(case), 2):
        own, other = (
            [
                state
                for state in harmless
                if contraindicated(bank, state, [forbidden.drug]) and not unsuitable(bank, state, [suiting.drug])
            ]
            for forbidden, suiting in ((first, second), (second, first))
        )
        squares += [((first, h), (second, g)) for h in own for g in other]
    return rng.choice(squares) if squares else None


def _extras(case: CaseFile) -> list[Extra]:
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


def _illnesses(case: CaseFile) -> str:
    """What the patient has or may have, in lower case; a raised creatinine stands for impaired kidneys."""
    names = [case.condition.name, *(entry.name for entry in case.condition.history), case.text("history:comorbidity")]
    if "creatinine" in case.condition.labs:
        names.append("severe renal impairment")
    return "; ".join(names).lower()


def _harmless(case: CaseFile) -> set[str]:
    """Past illnesses that the case does not mention and that suit all of its medicines."""
    names = case.words.threads.hazards
    shown = [*case.condition.first_line.drugs, *case.condition.alternative.drugs, case.home.drug]
    shown.append(case.facts["medication:comorbidity"].name)
    spoken = " ".join([case.core.text, case.condition.name, *(h.name for h in case.condition.history)]).lower()
    return {
        state
        for state, name in names.items()
        if name.lower().split()[-1] not in spoken and not unsuitable(case.bank, state, shown)
    }


def _lab(case: CaseFile, rng: random.Random) -> Pair | None:
    usable = critical_analytes(case)
    if not usable:
        return None
    analyte_id = rng.choice(usable)
    analyte = case.bank.analytes[analyte_id]
    critical = beyond(analyte.critical_low, analyte.critical_high, analyte.plausible, rng, subtle=case.is_hard)
    value = round(critical, analyte.decimals)
    scene, hazard_claims = _bystanding(case, rng)
    return Pair(
        kind="critical/lab",
        label="flag_critical_lab",
        clean=scene,
        slot="laboratory",
        field=row_of(case, analyte_id),
        after=row_text(case, analyte_id, value),
        determinable=value_is_critical(analyte, value),
        claims={**hazard_claims, "analyte": spoken_analyte(analyte)},
        urgent=True,
    )


def _vital(case: CaseFile, rng: random.Random) -> Pair | None:
    usable = quiet_vitals(case)
    if not usable:
        return None
    vital_id = rng.choice(usable)
    vital = case.bank.vitals[vital_id]
    limits = critical_limits(vital, case.person)
    value = round(beyond(*limits, vital.plausible, rng, subtle=case.is_hard), vital.decimals)
    scene, hazard_claims = _bystanding(case, rng)
    return Pair(
        kind="critical/vital",
        label="flag_critical_vital",
        clean=scene,
        slot="observations",
        field=f"v{case.vitals.index(vital_id)}",
        after=case.vital_text(vital_id, value),
        determinable=value_is_critical(vital, value, limits),
        claims={**hazard_claims, "vital": VITAL_PHRASES[vital_id][0]},
        urgent=True,
    )
