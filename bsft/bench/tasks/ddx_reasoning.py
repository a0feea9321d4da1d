"""Differential diagnosis (reactive, from the paper's first figure).

Asked for the leading diagnosis, the agent names it with the findings that support it; no order has been given yet.

Sample: query "What is the most likely diagnosis, and what supports it?" -> "Most likely community-acquired pneumonia,
in view of shaking chills with fever and breathlessness at rest."

Options: the diagnosis, three differentials of the case bank, each with findings of the scene, one unjustified concern.
Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="ddx_reasoning", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    findings = [case.text("complaint"), *(case.text(event) for event in case.events)]
    names = [case.condition.name, *(d.name for d in rng.sample(case.condition.differentials, DISTRACTORS))]
    labels = ["correct", *(f"distractor_{i}" for i in range(1, DISTRACTORS + 1))]
    # All diagnoses rest on findings of the scene, so that only medicine tells which of them fits.
    replies = [_reply(case, label, name, *rng.sample(findings, 2)) for label, name in zip(labels, names, strict=True)]
    yield answer_item(SPEC, case, case.core.before("order"), question(case, SPEC.name, rng), replies, "correct", rng)


def _reply(case: CaseFile, label: str, name: str, evidence: str, further: str) -> Reply:
    one = framed(case, "ddx_reasoning", {"name": name, "e": evidence})
    two = framed(case, "ddx_reasoning_two", {"name": name, "e": evidence, "f": further})
    return Reply(label, False, one + two)
