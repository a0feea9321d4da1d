"""Patient counselling (balanced; ours).

Asked what to tell the patient, the agent gives advice that is right for this condition.

Sample: query "What should we tell the patient?" -> "Please return at once if breathlessness worsens or you
become confused."

Options: right advice, three pieces of wrong or harmful advice, one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="patient_counseling", group="balanced", metric="accuracy", source="bsft")

DISTRACTORS = 3


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    replies = [Reply("correct", False, framed(case, SPEC.name, {"x": rng.choice(case.condition.counselling)}))]
    for i, advice in enumerate(rng.sample(case.condition.wrong_counselling, DISTRACTORS), start=1):
        replies.append(Reply(f"distractor_{i}", False, framed(case, SPEC.name, {"x": advice})))
    query = question(case, SPEC.name, rng)
    yield answer_item(SPEC, case, case.core, query, replies, "correct", rng, autonomy="L2")
