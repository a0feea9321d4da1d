"""Temporal ordering (reactive, from the paper's first figure).

The patient or a relative tells three symptoms with their times, in any order; the agent puts them in order.

Sample: query "Please put the symptoms in order, earliest first." -> "First an ordinary cold, then shaking chills, then
breathlessness at rest."

Options: the true order, three other orders of the same symptoms, one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="temporal_ordering", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    told = [case.text(event) for event in case.events]
    true, *others = permutations(told)
    replies = [_reply(case, "correct", true)]
    for i, order in enumerate(rng.sample(others, DISTRACTORS), start=1):
        replies.append(_reply(case, f"distractor_{i}", order))
    scene = case.core.before("order")
    yield answer_item(SPEC, case, scene, question(case, SPEC.name, rng), replies, "correct", rng)


def _reply(case: CaseFile, label: str, order: tuple[str, ...]) -> Reply:
    return Reply(label, False, framed(case, "temporal_ordering", dict(zip("abc", order, strict=True))))
