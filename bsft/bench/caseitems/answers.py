"""Items of the reactive and balanced tasks: one question, its answers, and a concern that nothing justifies."""

from __future__ import annotations

import random
from collections.abc import Sequence

from bsft.bench.caseitems.chart import Chart
from bsft.bench.caseitems.twins import fitted, flag_reply
from bsft.bench.records import Autonomy, Item, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.simulate import VITAL_PHRASES
from bsft.bench.tasks.claims import Reply


def question(chart: Chart, task: str, rng: random.Random, **fields: str) -> str:
    """The task's request in one of its wordings."""
    return capitalise(fill(rng.choice(chart.words.questions[task]), fields))


def framed(chart: Chart, task: str, **fields: str) -> list[str]:
    """An answer's content in every wording of the task's answers."""
    return [capitalise(fill(frame, {**chart.fields, **fields})) for frame in chart.words.frames[task]]


def idle_flag(chart: Chart, rng: random.Random) -> Reply:
    """A concern about the chart label, which is right, or about a vital sign that is normal."""
    vitals = chart.bank.vitals
    normal = [v for v in chart.shown_vitals if vitals[v].reference.low <= chart.vitals[v] <= vitals[v].reference.high]
    if chart.is_adult and normal and rng.random() < 0.5:
        return flag_reply(chart, "flag_critical_vital", {"vital": VITAL_PHRASES[rng.choice(normal)][0]}, "flag")
    return flag_reply(chart, "flag_identity", {}, "flag")


def answer_item(
    spec: TaskSpec, chart: Chart, scene: Scene, query: str, replies: Sequence[Reply], label: str, rng: random.Random,
    *, autonomy: Autonomy = "L1",
) -> Item:  # fmt: skip
    """An item with its answers and one unjustified flag.

    Raises:
        LeftOut: the replies cannot be worded at similar length.
    """
    return Item.model_validate({
        "id": f"{chart.case.id}/{spec.name}",
        "case_id": chart.case.id,
        "task": spec.name,
        "group": spec.group,
        "gold_behavior": spec.group,
        "autonomy": autonomy,
        "turns": scene.turns,
        "query": query,
        "options": fitted([*replies, idle_flag(chart, rng)], rng),
        "label": label,
        "split": chart.split,
        "specialty": chart.case.specialty,
    })  # fmt: skip
