"""Laboratory interpretation.

Abstract: asked about one result of the table, the agent says whether it is low, normal or high.
Group: reactive. Source: ours.
Labels: low, normal, high, each right about equally often; the unjustified concern, `flag`, is never right.
Metric: macro-F1.
Oracle: the reference range for the patient's age and sex. In recorded cases the range printed beside the result, which
    is the record's own or, for adults who are not expecting, the case bank's; a record that calls the result otherwise
    is left out.
Sample: "Is the result for potassium low, normal or high?" -> "That result is within the reference range."
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bsft.bench.items import answer_item
from bsft.bench.left_out import LeftOut
from bsft.bench.replies import UNJUSTIFIED
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.spoken import spoken_analyte
from bsft.records.schema import Item, TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.other_cases import OtherCases
    from bsft.bench.recorded.readings import Result

LABELS: Mapping[str, tuple[str, float]] = {
    "low": ("below the reference range", 1.0),
    "normal": ("within the reference range", 0.53),
    "high": ("above the reference range", 0.55),
}
"""How each label is worded, and how readily a case with such a result asks for it: low results are rarest."""
RECORDED_WEIGHTS = {"low": 3, "normal": 1, "high": 2}
"""How readily a recorded case asks for each: most of its results are normal, and few are low."""

SPEC = TaskSpec(
    name="lab_interpretation", group="reactive", metric="macro_f1", labels=[*LABELS, UNJUSTIFIED], source="bsft"
)


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    by_label: dict[str, list[str]] = defaultdict(list)
    for analyte_id in (*case.condition.labs, *case.shown_labs):
        by_label[reading(case, analyte_id)].append(analyte_id)
    possible = [label for label in LABELS if label in by_label]
    label = rng.choices(possible, [LABELS[name][1] for name in possible])[0]
    shown = [analyte_id for analyte_id in by_label[label] if analyte_id in case.shown_labs]
    analyte_id = rng.choice(shown or by_label[label])
    scene = case.undecided_scene("laboratory")
    if not shown:
        row = rng.randrange(len(case.shown_labs))
        scene = scene.put("laboratory", **{f"row{row}": case.text(f"lab:{analyte_id}")})
    answers = case.answers(SPEC.name, [{"x": text} for text, _ in LABELS.values()], rng, list(LABELS))
    query = case.question(SPEC.name, rng, analyte=spoken_analyte(case.bank.analytes[analyte_id]))
    return answer_item(SPEC, case, scene, query, answers, rng, label=label)


def reading(case: SimulatedCase, analyte_id: str) -> str:
    """Where a result lies within its reference range."""
    fact, value = case.facts[f"lab:{analyte_id}"], case.value(f"lab:{analyte_id}")
    assert fact.reference_low is not None and fact.reference_high is not None
    if value < fact.reference_low:
        return "low"
    return "high" if value > fact.reference_high else "normal"


def recorded_item(case: RecordedCase, others: OtherCases) -> Item:
    """The item of a recorded case; `others` take no part.

    Raises:
        LeftOut: no result has a range printed beside it.
    """
    rng = case.rng(SPEC.name)
    by_label: dict[str, list[Result]] = defaultdict(list)
    for result in case.results:
        if result.limits is not None:
            by_label[result.reading].append(result)
    if not by_label:
        raise LeftOut("no result of the case bank's analytes with a reference range")
    possible = [label for label in RECORDED_WEIGHTS if label in by_label]
    label = rng.choices(possible, [RECORDED_WEIGHTS[label] for label in possible])[0]
    result = rng.choice(by_label[label])
    about = {"analyte": result.spoken_name, "measured": result.measured()}
    answers = case.answers(SPEC.name, [{**about, "x": name} for name in LABELS], rng, list(LABELS))
    query = case.question(SPEC.name, rng, analyte=about["analyte"])
    return answer_item(SPEC, case, case.base_scene, query, answers, rng, label=label)
