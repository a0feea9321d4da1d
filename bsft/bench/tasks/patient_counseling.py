"""Patient counselling (balanced; ours).

Asked what to tell the patient, the agent gives the advice that belongs to this condition.

Sample: query "Which advice belongs to this illness?" -> "Please attend for a repeat chest X-ray after about six weeks."

Options: the right advice, three pieces of advice that are right in other conditions and are on other topics, one
unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.common import answer_item, panel_replies, question
from bsft.bench.tasks.distractors import advice_panels

SPEC = TaskSpec(name="patient_counseling", group="balanced", metric="accuracy", source="bsft")


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    replies = panel_replies(case, SPEC.name, advice_panels, rng)
    query = question(case, SPEC.name, rng)
    yield answer_item(SPEC, case, case.core, query, replies, "correct", rng, autonomy="L2")
