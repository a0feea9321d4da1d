"""Next test (balanced; ours).

After history and examination, and before any result, the agent proposes the investigation that decides.

Sample: query "Which test should come next to settle the diagnosis?" -> "I would request CT pulmonary angiography next."

Options: the test that decides, three that decide in other conditions and would not help here, one unjustified concern.
Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.common import answer_item, panel_replies, question
from bsft.bench.tasks.distractors import next_test_panels

SPEC = TaskSpec(name="next_test_selection", group="balanced", metric="accuracy", source="bsft")


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    scene = case.core.before("laboratory", "imaging")
    replies = panel_replies(case, SPEC.name, next_test_panels, rng)
    yield answer_item(SPEC, case, scene, question(case, SPEC.name, rng), replies, "correct", rng, autonomy="L2")
