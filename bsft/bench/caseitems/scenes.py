"""The scene that all items of a case share: the record read out by those who would know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bsft.bench.casefile import clock
from bsft.bench.caseitems.chart import Chart
from bsft.bench.person import ago
from bsft.bench.records import Role
from bsft.bench.scene import Scene, Slot

_AUTHORS: Mapping[str, tuple[str, Role]] = {
    "intro": ("Attending", "attending"),
    "symptoms": ("Nurse", "nurse"),
    "history": ("Resident", "resident"),
    "course": ("Resident", "resident"),
    "background": ("Pharmacist", "pharmacist"),
    "label": ("Chart", "record"),
    "observations": ("Nurse", "nurse"),
    "examination": ("Consultant", "consultant"),
    "laboratory": ("Laboratory", "record"),
    "reports": ("Reports", "record"),
}
"""Slot -> who says it. Results come last."""


def base_scene(chart: Chart) -> Scene:
    """The scene without any problem in it.

    Raises:
        LeftOut: the record has no symptom that does not name the diagnosis.
    """
    return Scene(tuple(_slots(chart)))


def _slots(chart: Chart) -> Iterator[Slot]:
    words = chart.words
    yield chart.slot("intro", words.intro, _AUTHORS["intro"])
    if len(chart.symptoms) > 1:
        yield chart.slot("symptoms", words.symptoms, _AUTHORS["symptoms"], text="; ".join(chart.symptoms[1:]))
    yield from _document(chart, "history", chart.texts("history"))
    if chart.events:
        told = [f"{event.text}: {ago(-event.time_hours)}" for event in chart.events]
        chart.rng("telling").shuffle(told)
        yield chart.slot("course", words.course, _AUTHORS["course"], text="; ".join(told))
    if medicines := chart.texts("medication", "allergy"):
        yield chart.slot("background", words.background, _AUTHORS["background"], text="; ".join(medicines))
    yield chart.slot("label", words.label, _AUTHORS["label"], sex=chart.person.sex, age=chart.person.age)
    yield from observations(chart)
    yield from _document(chart, "examination", chart.texts("exam"))
    yield from laboratory(chart)
    yield from _document(chart, "reports", chart.texts("imaging", "study"))


def _document(chart: Chart, slot_id: str, texts: Sequence[str]) -> Iterator[Slot]:
    """The record's own sentences, if it has any."""
    if texts:
        yield chart.slot(slot_id, ["{text}"], _AUTHORS[slot_id], text="\n".join(texts))


def observations(chart: Chart, *, without: str | None = None) -> Iterator[Slot]:
    """The vital signs, each a field of its own; `without` one of them."""
    rows = {vital_id: chart.vital_text(vital_id) for vital_id in chart.shown_vitals if vital_id != without}
    others = [fact for fact in chart.facts if fact.kind == "vital" and fact.id not in chart.vital_facts]
    rows |= {f"other{i}": fact.text for i, fact in enumerate(others)}
    yield from _rows(chart, "observations", rows, "; ")


def laboratory(chart: Chart, *, without: str | None = None) -> Iterator[Slot]:
    """The results in the record's order, each a field of its own, named by its analyte; `without` one analyte."""
    known = {result.fact_id: result for result in chart.results}
    rows: dict[str, str] = {}
    for i, fact in enumerate(fact for fact in chart.facts if fact.kind == "lab"):
        result = known.get(fact.id)
        if result is None:
            rows[f"other{i}"] = fact.text
        elif result.analyte_id != without:
            rows[result.analyte_id] = result.row()
    yield from _rows(chart, "laboratory", rows, "\n")


def _rows(chart: Chart, slot_id: str, rows: Mapping[str, str], separator: str) -> Iterator[Slot]:
    """A slot in which every row is a field, so that one of them can be changed; none without rows."""
    if not rows:
        return
    fields = {**rows, "clock": clock(chart.clock_minutes)}
    wordings = chart.words.observations if slot_id == "observations" else chart.words.laboratory
    fillers = separator.join(f"{{{name}}}" for name in rows)
    templates = [wording.replace("{rows}", fillers) for wording in wordings]
    yield chart.slot(slot_id, templates, _AUTHORS[slot_id], **fields)
