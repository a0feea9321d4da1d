"""Next test (balanced; ours).

After history and examination, and before any result, the agent proposes the investigation that decides.

Sample: query "Which test should come next?" -> "I would request CT pulmonary angiography next."

Options: the most useful test, three real tests that are less useful here, one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="next_test_selection", group="balanced", metric="accuracy", source="bsft")

DISTRACTORS = 3


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    entry = case.condition.next_test
    scene = case.core.before("laboratory", "imaging")
    replies = [Reply("correct", False, framed(case, SPEC.name, {"x": entry.test}))]
    for i, test in enumerate(rng.sample(entry.less_useful, DISTRACTORS), start=1):
        replies.append(Reply(f"distractor_{i}", False, framed(case, SPEC.name, {"x": test})))
    yield answer_item(SPEC, case, scene, question(case, SPEC.name, rng), replies, "correct", rng, autonomy="L2")
