"""Replies that raise a concern: what they name, and the unjustified one in every reactive and balanced item."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bsft.bench.bank.schema import Medication
from bsft.bench.casefile import CaseFile
from bsft.bench.foils import Matched
from bsft.bench.oracle import wrong_doses
from bsft.bench.perturb import spoken, spoken_analyte
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.simulate import VITAL_PHRASES, critical_limits, number
from bsft.bench.wordings import allowed

CORE_CLAIMS: Mapping[str, str] = {
    "flag_allergy": "allergy",
    "flag_critical_vital": "observations",
    "flag_history_medication": "background",
    "flag_critical_lab": "laboratory",
    "flag_lab_value": "laboratory",
    "flag_exam_imaging": "imaging",
}
"""Concerns that any scene could raise wrongly, and the slot that must be there to speak of them."""

IDLE_WORDINGS = 4
"""Draws of wordings from which an unjustified concern is chosen."""


@dataclass(frozen=True)
class Reply:
    """One reply of an item in several wordings, of which the builder takes one that fits the others' length."""

    label: str
    flag: bool
    candidates: Sequence[str]


def flag_reply(case: CaseFile, label: str, fields: Mapping[str, str]) -> Reply:
    """A reply that raises the concern `label`, in all its wordings."""
    return Reply(label, True, _spoken(case, _claims(case, label, fields)))


def idle_flag(case: CaseFile, scene: Scene, rng: random.Random) -> Reply:
    """Unjustified concerns about things that the scene shows: one, or several beside answers that are longer."""
    fields = core_fields(case)
    if "order" not in scene:
        fields["drug"] = case.home.drug
    labels = [label for label, slot in CORE_CLAIMS.items() if slot in scene]
    rng.shuffle(labels)
    claims = {label: _claims(case, label, fields) for label in labels}
    # Every number of concerns adds candidates of another length.
    draws = [[rng.choice(claims[label]) for label in labels] for _ in range(IDLE_WORDINGS)]
    several = ["; ".join(chosen[:count]) for chosen in draws for count in range(2, len(labels) + 1)]
    return Reply("flag", True, _spoken(case, [*(claim for own in claims.values() for claim in own), *several]))


def _claims(case: CaseFile, label: str, fields: Mapping[str, str]) -> list[str]:
    return [fill(claim, fields) for claim in case.words.replies.claims[label]]


def _spoken(case: CaseFile, claims: Sequence[str]) -> list[str]:
    """Claims as sentences, with every opener."""
    openers = allowed(case.words.replies.openers, case.edition)
    ends = {claim: "" if claim.endswith("?") else "." for claim in claims}
    return [capitalise(f"{opener}{claim}{ends[claim]}") for opener, claim in product(openers, claims)]


def core_fields(case: CaseFile) -> dict[str, str]:
    """What the claims about the base scene name; drawn as the perturbations draw it, so that it tells nothing."""
    rng = case.rng("claims")
    critical = critical_analytes(case) or [a for a in case.labs if a in case.condition.normal_labs]
    analytes = case.bank.analytes
    return {
        "drug": conflict_drug(case, case.foils.allergens) or main_drug(case),
        "hazard_drug": main_drug(case),
        "allergen": rng.choice([name for name in case.bank.allergens if name not in case.allergens]),
        "hazard": rng.choice(sorted(case.words.threads.hazards.values())),
        "dosed_drug": dosable(case)[0][1].drug,
        "analyte": spoken_analyte(analytes[rng.choice(critical)]),
        "printed_analyte": spoken_analyte(analytes[rng.choice(case.labs)]),
        "vital": VITAL_PHRASES[rng.choice(quiet_vitals(case) or case.vitals)][0],
        "study": spoken(case.imaging.study),
        "site": spoken(case.exams[0].site),
    }


def main_drug(case: CaseFile) -> str:
    """The ordered drug, or the home medicine where the order is a procedure."""
    dose = case.condition.first_line.dose
    return case.home.drug if dose is None else dose.drug


def conflict_drug(case: CaseFile, matched: Matched) -> str | None:
    """The drug that can be put into conflict, if this case's scene shows it."""
    target = matched.targets.get(case.condition.id)
    return target.drug if target is not None and (target.ordered or target.drug == case.home.drug) else None


def critical_analytes(case: CaseFile) -> list[str]:
    """Analytes of the table that are normal in the condition, are printed as a number and have critical limits."""
    return [a for a in case.labs if a in case.condition.normal_labs and case.has_limits(a) and is_measured(case, a)]


def is_measured(case: CaseFile, analyte_id: str) -> bool:
    """Whether the result is a number; "<4" has no decimal point to shift and no value to exchange."""
    return f" {number(result(case, analyte_id), case.bank.analytes[analyte_id].decimals)}" in case.text(
        f"lab:{analyte_id}"
    )


def result(case: CaseFile, analyte_id: str) -> float:
    """The analyte's value in this case."""
    value = case.facts[f"lab:{analyte_id}"].value
    assert isinstance(value, float | int)
    return value


def quiet_vitals(case: CaseFile) -> list[str]:
    """Vital signs of the scene that the condition leaves alone and that have limits at this age."""
    vitals = case.bank.vitals
    return [
        vital
        for vital in case.vitals
        if vital not in case.condition.vitals and critical_limits(vitals[vital], case.person) != (None, None)
    ]


def dosable(case: CaseFile) -> list[tuple[str, Medication]]:
    """Slots with a dose that a wrong factor would make recognisably wrong; the order comes first."""
    order = case.condition.first_line.dose
    found = []
    if order is not None and f"{order.dose:g} {order.unit}" in case.order_text:
        found.append(("order", order))
    found.append(("background", case.home))
    usable = [(slot, m) for slot, m in found if m.drug in case.bank.drugs and wrong_doses(case.bank.drugs[m.drug], m)]
    return usable or found
