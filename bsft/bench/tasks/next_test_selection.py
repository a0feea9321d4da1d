"""Next test.

Abstract: after history and examination, and before any result, the agent proposes the investigation that decides.
Group: balanced. Source: ours.
Options: the test that decides, three that decide in other conditions and would not help here, one unjustified concern.
Metric: accuracy.
Oracle: the condition's deciding test; the bank says which tests are as good in another condition.
Sample: "Which test should come next to settle the diagnosis?" -> "I would request CT pulmonary angiography."
"""

from bsft.bench.simulated.answer_panels import next_test_panels, panel_item
from bsft.bench.simulated.case import SimulatedCase
from bsft.records.schema import Item, TaskSpec

SPEC = TaskSpec(name="next_test_selection", group="balanced", metric="accuracy", source="bsft")


def simulated_item(case: SimulatedCase) -> Item:
    return panel_item(SPEC, case, next_test_panels, ("story", "examination", "observations"), ("laboratory", "imaging"))
