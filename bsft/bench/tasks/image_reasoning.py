"""Image reasoning.

Abstract: a figure is put up after the round (an ECG, an X-ray, a chart, an audiogram ...), and the agent is asked what
    it shows. Figures are specifications, and are also described in words.
Group: reactive. Source: the paper's first figure.
Options: the right reading, three readings that are right of other figures of the kind (for the few kinds of which the
    bank has only two or three figures, also wrong readings of the same form), one unjustified concern. Tracings and
    X-rays that are drawn show what any adult may have by chance, so that the story does not tell the reading.
Metric: accuracy.
Oracle: the condition's reading of its figure, or what a figure was drawn from.
Sample: "Temperature (°C): 0 h 38.2, 6 h 38.5, 12 h 38.9, ..." and "Please explain the temperature chart." -> "It shows
    a steady rise of the temperature over 24 hours."
"""

import random

from bsft.bench.bank.reference_schema import pairs_of
from bsft.bench.bank.schema import Figure
from bsft.bench.figures import Reading, chest_xray, describe, ecg_tracing, lab_chart, temperature_chart
from bsft.bench.items import answer_item
from bsft.bench.scene import Slot
from bsft.bench.simulated.answer_panels import N_OPTIONS, reading_panels
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.splits import is_heldout
from bsft.bench.spoken import spoken_analyte
from bsft.bench.wordings import pick_phrase
from bsft.records.schema import ImageSpec, Item, TaskSpec

SPEC = TaskSpec(name="image_reasoning", group="reactive", metric="accuracy", source="paper")

BANK_FIGURE_SHARE, TREND_SHARE = 0.6, 0.2
"""Share of cases that show their condition's own figure, where it has one; and of simulated charts among the others."""
LAB_CHART_SHARE = 0.7
"""Share of charts that show a laboratory result rather than the temperature."""
ECG_SHARE = 0.5
"""Share of drawn figures that are tracings rather than X-rays."""
ADULT_AGE_YEARS = 18
CHARTS = frozenset({"lab_trend", "temperature_chart"})
"""Kinds that are simulated: the courses of the bank's own charts are too unequally frequent."""


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    reading = _reading(case, rng)
    texts = [reading.right, *reading.wrong[: N_OPTIONS - 1]]
    name = case.words.figures.names[reading.spec.kind]
    text = describe(reading.spec.kind, reading.spec.params, case.bank.analytes)
    answers = case.answers(SPEC.name, [{"x": own, "image": name} for own in texts], rng)
    scene = case.undecided_scene("story").append(Slot("figure", "Figure", "record", "{figure}.", {"figure": text}))
    query = case.question(SPEC.name, rng, image=name)
    return answer_item(SPEC, case, scene, query, answers, rng, images=[reading.spec])


def _reading(case: SimulatedCase, rng: random.Random) -> Reading:
    figure = case.condition.figure
    if figure is not None and figure.kind not in CHARTS and rng.random() < BANK_FIGURE_SHARE:
        right = pick_phrase(figure.reading, case.edition, rng)
        return Reading(ImageSpec(kind=figure.kind, params=figure.params, alt=right), right, _wrong(case, figure, rng))
    if rng.random() >= TREND_SHARE and case.person.age_years >= ADULT_AGE_YEARS:
        shows_chest = any("chest" in study.study.lower() for study in case.condition.imaging)
        rate = case.vital("heart_rate_bpm")
        return ecg_tracing(rate, rng) if shows_chest or rng.random() < ECG_SHARE else chest_xray(rng)
    for analyte_id in rng.sample(sorted(case.condition.labs), len(case.condition.labs)):
        if analyte_id in case.shown_labs and rng.random() < LAB_CHART_SHARE:
            analyte = case.bank.analytes[analyte_id]
            chart = lab_chart(analyte_id, analyte, spoken_analyte(analyte), case.value(f"lab:{analyte_id}"), rng)
            if chart is not None:
                return chart
    return temperature_chart(case.vital("temperature_c"), rng)


def _wrong(case: SimulatedCase, figure: Figure, rng: random.Random) -> list[str]:
    """Readings that are not true of the case's figure, first those that are right of others."""
    own = case.condition.id
    conditions = case.bank.conditions
    panels = reading_panels(case.bank, is_heldout(case.condition), figure.kind)
    if panels is not None:
        _, answers, _ = panels.draw(own, rng)
        others = [answer.condition_id for answer in answers]
    else:
        related = pairs_of(case.bank.interchangeable.reading)
        others = [
            other.id
            for other in conditions.values()
            if other.figure is not None
            and other.figure.kind == figure.kind
            and other.id != own
            and frozenset((own, other.id)) not in related
        ]
        others = rng.sample(others, min(len(others), N_OPTIONS - 1))
    figures = [conditions[other].figure for other in others]
    readings = [pick_phrase(other.reading, case.edition, rng) for other in figures if other is not None]
    return readings + rng.sample(figure.misreadings, len(figure.misreadings))
