"""Differential diagnosis.

Abstract: asked for the leading diagnosis, the agent names it; no order has been given yet.
Group: reactive. Source: the paper's first figure.
Options: the diagnosis, three diagnoses of other conditions, preferably of its differential (in recorded cases: of
    records that have little in common with this one), one unjustified concern.
Metric: accuracy.
Oracle: the condition's, or the record's, own diagnosis; sentences of a record that name it are not shown.
Sample: "What is the most likely diagnosis?" -> "Most likely community-acquired pneumonia."
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bsft.bench.items import answer_item
from bsft.bench.simulated.answer_panels import diagnosis_panels, panel_answers
from bsft.bench.simulated.case import SimulatedCase
from bsft.records.schema import Item, TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.other_cases import OtherCases

SPEC = TaskSpec(name="ddx_reasoning", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    answers, complaint = panel_answers(case, SPEC.name, diagnosis_panels, rng)
    scene = case.undecided_scene("story", "examination", "laboratory", complaint=complaint)
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)


def recorded_item(case: RecordedCase, others: OtherCases) -> Item:
    """The item of a recorded case.

    Raises:
        LeftOut: too few other diagnoses, or the replies would differ in length.
    """
    rng = case.rng(SPEC.name)
    scene = case.base_scene
    names = [case.case.diagnosis, *others.diagnoses(case, DISTRACTORS)]
    answers = case.answers(SPEC.name, [{"name": name} for name in names], rng)
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)
