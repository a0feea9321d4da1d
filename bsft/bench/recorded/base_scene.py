"""The scene that all items of a recorded case share: the record read out by those who would know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bsft.bench.person import ago
from bsft.bench.scene import Scene, Slot, Speaker
from bsft.bench.spoken import clock

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

_AUTHORS: Mapping[str, Speaker] = {
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


def make_base_scene(case: RecordedCase) -> Scene:
    """The base scene: what the record has, in a fixed order."""
    return Scene(tuple(_slots(case)))


def _slots(case: RecordedCase) -> Iterator[Slot]:
    words = case.words
    yield case.slot("intro", words.intro, _AUTHORS["intro"])
    if len(case.symptoms) > 1:
        yield case.slot("symptoms", words.symptoms, _AUTHORS["symptoms"], text="; ".join(case.symptoms[1:]))
    yield from _document(case, "history", case.texts("history"))
    if case.told_events:
        told = [f"{event.text}: {ago(-event.time_hours)}" for event in case.told_events]
        case.rng("telling").shuffle(told)
        yield case.slot("course", words.course, _AUTHORS["course"], text="; ".join(told))
    if medicines := case.texts("medication", "allergy"):
        yield case.slot("background", words.background, _AUTHORS["background"], text="; ".join(medicines))
    yield case.slot("label", words.label, _AUTHORS["label"], sex=case.person.sex, age=case.person.age)
    yield from observations(case)
    yield from _document(case, "examination", case.texts("exam"))
    yield from laboratory(case)
    yield from _document(case, "reports", case.texts("imaging", "study"))


def _document(case: RecordedCase, slot_id: str, texts: Sequence[str]) -> Iterator[Slot]:
    """The record's own sentences, if it has any."""
    if texts:
        yield case.slot(slot_id, ["{text}"], _AUTHORS[slot_id], text="\n".join(texts))


def observations(case: RecordedCase, *, without: str | None = None) -> Iterator[Slot]:
    """The vital signs, each a field of its own; `without` one of them."""
    rows = {vital_id: case.vital_text(vital_id) for vital_id in case.shown_vitals if vital_id != without}
    others = [fact for fact in case.shown_facts if fact.kind == "vital" and fact.id not in case.vital_facts]
    rows |= {f"other{i}": fact.text for i, fact in enumerate(others)}
    yield from _rows(case, "observations", rows, "; ")


def laboratory(case: RecordedCase, *, without: str | None = None) -> Iterator[Slot]:
    """The results in the record's order, each a field of its own, named by its analyte; `without` one analyte."""
    known = {result.fact_id: result for result in case.results}
    rows: dict[str, str] = {}
    for i, fact in enumerate(fact for fact in case.shown_facts if fact.kind == "lab"):
        result = known.get(fact.id)
        if result is None:
            rows[f"other{i}"] = fact.text
        elif result.analyte_id != without:
            rows[result.analyte_id] = result.row()
    yield from _rows(case, "laboratory", rows, "\n")


def _rows(case: RecordedCase, slot_id: str, rows: Mapping[str, str], separator: str) -> Iterator[Slot]:
    """A slot in which every row is a field, so that one of them can be changed; none without rows."""
    if not rows:
        return
    fields = {**rows, "clock": clock(case.clock_minutes)}
    wordings = case.words.observations if slot_id == "observations" else case.words.laboratory
    fillers = separator.join(f"{{{name}}}" for name in rows)
    templates = [wording.replace("{rows}", fillers) for wording in wordings]
    yield case.slot(slot_id, templates, _AUTHORS[slot_id], **fields)
