"""Differential diagnosis (reactive, from the paper's first figure).

Asked for the leading diagnosis, the agent names it with the findings that support it; no order has been given yet.

Sample: query "What is the most likely diagnosis, and what supports it?" -> "Most likely community-acquired pneumonia,
in view of bronchial breathing and coarse crackles at the left base."

Options: the diagnosis, three differentials of the case bank with what speaks for them, one unjustified concern.
Metric: accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.common import Reply, answer_item, framed, question

SPEC = TaskSpec(name="ddx_reasoning", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    scene = case.core.before("order")
    shown = [case.exams[0].site, case.exams[1].site]
    findings = [case.text(f"exam:{entry.id}") for entry in case.exams]
    symptoms = [case.text(event) for event in case.events]
    first = case.exams[0] if case.exams[0].discriminating or not case.exams[1].discriminating else case.exams[1]
    best = findings[shown.index(first.site)]
    # Every diagnosis is supported by the same kind of evidence, one symptom of the story among it.
    symptom = rng.choice(symptoms)
    replies = [_reply(case, "correct", case.condition.name, best, symptom)]
    chosen = rng.sample(case.condition.differentials, DISTRACTORS)
    replies += [
        _reply(case, f"distractor_{i}", entry.name, entry.shared, symptom) for i, entry in enumerate(chosen, start=1)
    ]
    yield answer_item(SPEC, case, scene, question(case, SPEC.name, rng), replies, "correct", rng)


def _reply(case: CaseFile, label: str, name: str, evidence: str, further: str) -> Reply:
    one = framed(case, "ddx_reasoning", {"name": name, "e": evidence})
    two = framed(case, "ddx_reasoning_two", {"name": name, "e": evidence, "f": further})
    return Reply(label, False, one + two)
