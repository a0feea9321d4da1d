"""Treatment planning.

Abstract: asked for the treatment before any order was given, the agent proposes the first choice, or the alternative
    where a recorded allergy forbids the first choice.
Group: balanced. Source: ours.
Options: the right treatment, the first choices of three other conditions, one unjustified concern. In a share of the
    cases in which an allergy can decide, the options are the first choice and the alternative of this condition and of
    another one, and the record forbids either the first choice or, as often, the alternative.
Metric: accuracy.
Oracle: the condition's treatments, and the allergy groups of the drug file.
Sample: "Which treatment would you begin with?" -> "I would give co-amoxiclav 1.2 g intravenously every 8 hours together
    with clarithromycin."
"""

import random
from collections.abc import Sequence

from bsft.bench.items import answer_item
from bsft.bench.scene import Scene
from bsft.bench.simulated.answer_panels import (
    ALLERGY_SHARE,
    allergy_panels,
    deciding_allergens,
    panel_answers,
    treatment_panels,
)
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.splits import is_heldout
from bsft.records.schema import Item, TaskSpec

SPEC = TaskSpec(name="treatment_planning", group="balanced", metric="accuracy", source="bsft")
TOPICS = ("story", "allergy", "examination", "imaging")


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    deciding = deciding_allergens(case.bank, case.condition.id)
    if deciding is not None and rng.random() < ALLERGY_SHARE:
        scene, texts = _allergy_decides(case, deciding, rng)
        answers = case.answers(SPEC.name, [{"x": text} for text in texts], rng)
    else:
        answers, complaint = panel_answers(case, SPEC.name, treatment_panels, rng)
        scene = case.undecided_scene(*TOPICS, complaint=complaint)
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)


def _allergy_decides(
    case: SimulatedCase, deciding: Sequence[Sequence[str]], rng: random.Random
) -> tuple[Scene, list[str]]:
    """The scene with an allergy on record that forbids one of the two treatments, and treatments, the right one first.

    Args:
        case: a case of a condition with `deciding` allergens.
        deciding: allergens that forbid the first choice, and those that forbid the alternative.
        rng: decides which of the two is forbidden, and by what.
    """
    _, (other,), complaint = allergy_panels(case.bank, is_heldout(case.condition)).draw(case.condition.id, rng)
    partner = case.bank.conditions[other.condition_id]
    own = [case.condition.first_line.text, case.condition.alternative.text]
    forbidden = rng.randrange(2)
    names = deciding[forbidden]
    allergen = rng.choices(names, [case.bank.allergens[name].common for name in names])[0]
    scene = case.undecided_scene(*TOPICS, complaint=complaint)
    scene = scene.put("allergy", allergies=case.allergies_text((allergen, *case.allergens[1:])))
    return scene, [own.pop(1 - forbidden), *own, partner.first_line.text, partner.alternative.text]
