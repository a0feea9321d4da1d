"""Differential diagnosis (reactive, from the paper's first figure).

Asked for the leading diagnosis, the agent names it; no order has been given yet.

Sample: query "What is the most likely diagnosis?" -> "Most likely community-acquired pneumonia."

Options: the diagnosis, three diagnoses of other conditions, preferably of its differential, one unjustified concern.
Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.common import answer_item, panel_replies, question
from bsft.bench.tasks.distractors import diagnosis_panels

SPEC = TaskSpec(name="ddx_reasoning", group="reactive", metric="accuracy", source="paper")


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    replies = panel_replies(case, SPEC.name, diagnosis_panels, rng)
    yield answer_item(SPEC, case, case.core.before("order"), question(case, SPEC.name, rng), replies, "correct", rng)
