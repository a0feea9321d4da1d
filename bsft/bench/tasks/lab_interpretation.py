"""Laboratory interpretation (reactive; ours).

Asked about one result of the table, the agent says whether it is low, normal or high.

Sample: query "Is the result for potassium low, normal or high?" -> "That result is within the reference range."

Labels: low, normal, high, each right about equally often; the unjustified concern, `flag`, is never right.
Metric: macro-F1. Oracle: the reference range for the patient's age and sex.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import spoken_analyte
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import IDLE_FLAG, answer_item, question, replies_of

LABELS: Mapping[str, tuple[str, float]] = {
    "low": ("below the reference range", 1.0),
    "normal": ("within the reference range", 0.53),
    "high": ("above the reference range", 0.55),
}
"""How each label is worded, and how readily a case with such a result asks for it: low results are rarest."""

SPEC = TaskSpec(
    name="lab_interpretation", group="reactive", metric="macro_f1", labels=[*LABELS, IDLE_FLAG], source="bsft"
)


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    by_label: dict[str, list[str]] = defaultdict(list)
    for analyte_id in (*case.condition.labs, *case.labs):
        by_label[reading(case, analyte_id)].append(analyte_id)
    possible = [label for label in LABELS if label in by_label]
    label = rng.choices(possible, [LABELS[name][1] for name in possible])[0]
    shown = [analyte_id for analyte_id in by_label[label] if analyte_id in case.labs]
    analyte_id = rng.choice(shown or by_label[label])
    scene = case.core
    if not shown:
        row = rng.randrange(len(case.labs))
        scene = scene.put("laboratory", **{f"row{row}": case.text(f"lab:{analyte_id}")})
    answers = replies_of(case, SPEC.name, [{"x": text} for text, _ in LABELS.values()])
    replies = [Reply(name, False, answer.candidates) for name, answer in zip(LABELS, answers, strict=True)]
    query = question(case, SPEC.name, rng, analyte=spoken_analyte(case.bank.analytes[analyte_id]))
    yield answer_item(SPEC, case, scene, query, replies, label, rng)


def reading(case: CaseFile, analyte_id: str) -> str:
    """Where a result lies within its reference range."""
    fact = case.facts[f"lab:{analyte_id}"]
    assert isinstance(fact.value, float | int) and fact.reference_low is not None and fact.reference_high is not None
    if fact.value < fact.reference_low:
        return "low"
    return "high" if fact.value > fact.reference_high else "normal"
