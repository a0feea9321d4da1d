"""Image reasoning (reactive, from the paper's first figure; figures are specifications, also described in words).

A figure is put up after the round (an ECG, a chart, an audiogram ...), and the agent is asked what it shows.

Sample: "Temperature (°C): 0 h 38.2, 6 h 38.5, 12 h 38.9, ..." query "Please explain the temperature chart." -> "It
shows a steady rise of the temperature over 24 hours."

Options: the right reading, three wrong readings of the same form, one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.figures import NAMES, Reading, describe, lab_chart, temperature_chart
from bsft.bench.perturb import spoken_analyte
from bsft.bench.records import ImageSpec, Item, TaskSpec
from bsft.bench.scene import Slot
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question
from bsft.bench.wordings import pick_phrase

SPEC = TaskSpec(name="image_reasoning", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3
BANK_FIGURE_SHARE = 0.6
"""Share of cases that show their condition's own figure, where it has one, rather than a simulated chart."""


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    reading = _reading(case, rng)
    name = NAMES[reading.spec.kind]
    text = describe(reading.spec.kind, reading.spec.params, case.bank.analytes)
    scene = case.core.append(Slot("figure", "Figure", "record", "{figure}.", {"figure": text}))
    replies = [Reply("correct", False, framed(case, SPEC.name, {"x": reading.right, "image": name}))]
    for i, wrong in enumerate(reading.wrong[:DISTRACTORS], start=1):
        replies.append(Reply(f"distractor_{i}", False, framed(case, SPEC.name, {"x": wrong, "image": name})))
    query = question(case, SPEC.name, rng, image=name)
    yield answer_item(SPEC, case, scene, query, replies, "correct", rng, images=[reading.spec])


def _reading(case: CaseFile, rng: random.Random) -> Reading:
    figure = case.condition.figure
    if figure is not None and rng.random() < BANK_FIGURE_SHARE:
        right = pick_phrase(figure.reading, case.edition, rng)
        wrong = rng.sample(figure.misreadings, len(figure.misreadings))
        return Reading(ImageSpec(kind=figure.kind, params=figure.params, alt=right), right, wrong)
    for analyte_id in rng.sample(case.labs, len(case.labs)):
        start = case.facts[f"lab:{analyte_id}"].value
        assert isinstance(start, float | int)
        analyte = case.bank.analytes[analyte_id]
        if analyte_id in case.condition.labs and rng.random() < 0.7:
            chart = lab_chart(analyte_id, analyte, spoken_analyte(analyte), start, rng)
            if chart is not None:
                return chart
    start = case.facts["vital:temperature_c"].value
    assert isinstance(start, float | int)
    return temperature_chart(start, case.bank.vitals["temperature_c"].plausible, rng)
