"""Treatment planning (balanced; ours).

Asked for the treatment before any order was given, the agent proposes the first choice, or the alternative where a
recorded allergy forbids the first choice.

Sample: query "What treatment should we start?" -> "I would give co-amoxiclav 1.2 g intravenously every 8 hours together
with clarithromycin."

Options: the right treatment, treatments that are wrong in this condition, the first choice of another specialty (or
the forbidden first choice), one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from bsft.bench.bank.schema import Condition
from bsft.bench.casefile import CaseFile
from bsft.bench.oracle import allergy_conflict
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="treatment_planning", group="balanced", metric="accuracy", source="bsft")

ALLERGY_SHARE = 0.35
"""Share of cases, among those where it is possible, whose record forbids the first choice."""


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    condition = case.condition
    scene = case.core.before("order")
    right = condition.first_line.text
    wrong = [entry.text for entry in rng.sample(condition.avoid, 2)]
    conflict = _forbidding(case, rng)
    if conflict is not None:
        scene = scene.put("allergy", allergies=case.allergies_text((conflict, *case.allergens[1:])))
        right, further = condition.alternative.text, condition.first_line.text
    else:
        further = rng.choice(_foreign(case)).first_line.text
    replies = [_reply(case, "correct", right)]
    replies += [_reply(case, f"distractor_{i}", text) for i, text in enumerate([*wrong, further], start=1)]
    query = question(case, SPEC.name, rng)
    yield answer_item(SPEC, case, scene, query, replies, "correct", rng, autonomy="L2")


def _reply(case: CaseFile, label: str, text: str) -> Reply:
    return Reply(label, False, framed(case, SPEC.name, {"x": text}))


def _forbidding(case: CaseFile, rng: random.Random) -> str | None:
    """An allergen that forbids the first choice but neither the alternative nor the home medicines."""
    target = case.foils.allergens.targets.get(case.condition.id)
    if target is None or not target.ordered or rng.random() > ALLERGY_SHARE:
        return None
    allergen = case.foils.allergens.conflict(case.condition.id, rng)
    others = [*case.condition.alternative.drugs, case.home.drug]
    return None if allergy_conflict(case.bank, allergen, others) else allergen


def _foreign(case: CaseFile) -> list[Condition]:
    """Conditions of other specialties whose first choice shares no drug class with this condition's treatments."""
    own = _classes(case, [*case.condition.first_line.drugs, *case.condition.alternative.drugs])
    return [
        other
        for other in case.bank.conditions.values()
        if other.specialty != case.condition.specialty
        and other.first_line.drugs
        and not own & _classes(case, other.first_line.drugs)
    ]


def _classes(case: CaseFile, drugs: list[str]) -> set[str]:
    return {case.bank.drugs[drug].drug_class for drug in drugs if drug in case.bank.drugs}
