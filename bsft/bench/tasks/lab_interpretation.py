"""Laboratory interpretation (reactive; ours).

Asked about one result of the table, the agent says whether it is low, normal or high.

Sample: query "Is the result for potassium low, normal or high?" -> "The result for potassium is normal at
4.1 mmol/L."

Labels: low, normal, high (the unjustified concern among the options is labelled `flag` and is never right).
Metric: macro-F1. Oracle: the reference range for the patient's age and sex.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import spoken_analyte
from bsft.bench.records import Item, TaskSpec
from bsft.bench.simulate import measured
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(
    name="lab_interpretation", group="reactive", metric="macro_f1", labels=["low", "normal", "high"], source="bsft"
)

READINGS = {"low": "low", "normal": "normal", "high": "high"}


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    by_label: dict[str, list[str]] = defaultdict(list)
    for analyte_id in case.labs:
        by_label[reading(case, analyte_id)].append(analyte_id)
    label = rng.choice(sorted(by_label))
    analyte_id = rng.choice(by_label[label])
    analyte = case.bank.analytes[analyte_id]
    value = case.facts[f"lab:{analyte_id}"].value
    assert isinstance(value, float | int)
    fields = {"analyte": spoken_analyte(analyte), "measured": measured(analyte, value)}
    replies = [Reply(name, False, framed(case, SPEC.name, {**fields, "x": word})) for name, word in READINGS.items()]
    query = question(case, SPEC.name, rng, analyte=fields["analyte"])
    yield answer_item(SPEC, case, case.core, query, replies, label, rng)


def reading(case: CaseFile, analyte_id: str) -> str:
    """Where a result lies within its reference range."""
    fact = case.facts[f"lab:{analyte_id}"]
    assert isinstance(fact.value, float | int) and fact.reference_low is not None and fact.reference_high is not None
    if fact.value < fact.reference_low:
        return "low"
    return "high" if fact.value > fact.reference_high else "normal"
