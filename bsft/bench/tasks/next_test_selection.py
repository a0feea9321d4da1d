"""Next test.

Abstract: after history and examination, and before any result, the agent proposes the investigation that decides.
Group: balanced. Source: ours.
Options: the test that decides, three that decide in other conditions and would not help here, one unjustified concern.
Metric: accuracy.
Oracle: the condition's deciding test; the bank says which tests are as good in another condition.
Sample: "Which test should come next to settle the diagnosis?" -> "I would request CT pulmonary angiography."
"""

from __future__ import annotations

from bsft.bench.items import answer_item
from bsft.bench.simulated.answer_panels import next_test_panels, panel_answers
from bsft.bench.simulated.case import SimulatedCase
from bsft.records.schema import Item, TaskSpec

SPEC = TaskSpec(name="next_test_selection", group="balanced", metric="accuracy", source="bsft")


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    answers, complaint = panel_answers(case, SPEC.name, next_test_panels, rng)
    scene = case.undecided_scene("story", "examination", "observations", complaint=complaint)
    scene = scene.before("laboratory", "imaging")
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)
