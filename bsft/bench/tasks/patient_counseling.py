"""Patient counselling.

Abstract: asked what to tell the patient, the agent gives the advice that belongs to this condition.
Group: balanced. Source: ours.
Options: the right advice, three pieces of advice that are right in other conditions and are on other topics, one
    unjustified concern.
Metric: accuracy.
Oracle: the condition's advice; the bank names the topics.
Sample: "Which advice belongs to this illness?" -> "Please attend for a repeat chest X-ray after about six weeks."
"""

from bsft.bench.simulated.answer_panels import advice_panels, panel_item
from bsft.bench.simulated.case import SimulatedCase
from bsft.records.schema import Item, TaskSpec

SPEC = TaskSpec(name="patient_counseling", group="balanced", metric="accuracy", source="bsft")


def simulated_item(case: SimulatedCase) -> Item:
    return panel_item(SPEC, case, advice_panels, ("story", "examination", "laboratory"))
