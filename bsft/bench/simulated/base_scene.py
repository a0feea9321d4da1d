"""The scene that all items of a simulated case share: orders of its turns, who says what, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bsft.bench.person import ago
from bsft.bench.scene import Scene, Slot, Speaker
from bsft.bench.spoken import clock

if TYPE_CHECKING:
    from bsft.bench.simulated.case import SimulatedCase

LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("intro", "story", "background", "allergy", "observations", "examination", "laboratory", "imaging", "order"),
    ("intro", "observations", "story", "background", "allergy", "examination", "imaging", "laboratory", "order"),
    ("intro", "background", "allergy", "story", "examination", "observations", "laboratory", "imaging", "order"),
    ("intro", "story", "examination", "observations", "allergy", "background", "imaging", "laboratory", "order"),
    ("intro", "observations", "examination", "story", "allergy", "background", "laboratory", "imaging", "order"),
    ("intro", "allergy", "story", "observations", "background", "examination", "laboratory", "imaging", "order"),
)
"""Orders of the base scene. Results and the order come last, so that tasks that must not see them use a prefix."""

SPEAKERS: Mapping[str, tuple[Speaker, ...]] = {
    "intro": (("Resident", "resident"), ("Attending", "attending"), ("Nurse", "nurse"), ("Consultant", "consultant")),
    "background": (("Resident", "resident"), ("Pharmacist", "pharmacist"), ("Nurse", "nurse")),
    "allergy": (("Nurse", "nurse"), ("Pharmacist", "pharmacist"), ("Resident", "resident")),
    "observations": (("Nurse", "nurse"),),
    "examination": (("Resident", "resident"), ("Attending", "attending"), ("Consultant", "consultant")),
    "laboratory": (("Laboratory", "record"),),
    "imaging": (("Report", "record"),),
    "order": (("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident")),
}


def make_base_scene(case: SimulatedCase) -> Scene:
    """The base scene, in one of the layouts."""
    slots = {slot_id: _slot(case, slot_id) for slot_id in LAYOUTS[0]}
    layout = case.rng("layout").choice(LAYOUTS)
    return Scene(tuple(slots[slot_id] for slot_id in layout))


def _slot(case: SimulatedCase, slot_id: str) -> Slot:
    dialogue = case.words.dialogue
    if slot_id == "story":
        wordings = dialogue["story_patient" if case.speaks_for_self else "story_relative"]
        return case.slot("story", wordings, case.teller, **_story_fields(case))
    speaker = case.speaker(slot_id, SPEAKERS[slot_id])
    fields = _fields(case, slot_id)
    wordings = dialogue[slot_id]
    if slot_id == "observations":
        shown = ", ".join(f"{{{name}}}" for name in fields)
        wordings = [wording.replace("{vitals}", shown) for wording in wordings]
    elif slot_id == "laboratory":
        rows = [f"{{{name}}}" for name in fields if name != "clock"]
        wordings = ["\n".join([wording, *rows]) for wording in wordings]
    slot = case.slot(slot_id, wordings, speaker, **fields)
    if slot_id == "observations" and case.is_lateral:
        # The unaffected side is named as well, so that naming both sides says nothing.
        line = case.pick(dialogue["cannula"], case.rng("wording cannula"))
        return Slot(slot.id, slot.speaker, slot.role, f"{slot.template} {line}", slot.fields)
    return slot


def _fields(case: SimulatedCase, slot_id: str) -> dict[str, str]:
    if slot_id == "observations":
        return {f"v{i}": case.vital_text(vital) for i, vital in enumerate(case.shown_vitals)}
    if slot_id == "examination":
        first, second = case.exams
        order = [first, second] if case.rng("exam order").random() < 0.5 else [second, first]
        sites = {f"s{i}": entry.site for i, entry in enumerate(order)}
        return sites | {f"f{i}": case.text(f"exam:{entry.id}") for i, entry in enumerate(order)}
    if slot_id == "laboratory":
        rows = {f"row{i}": case.text(f"lab:{analyte}") for i, analyte in enumerate(case.shown_labs)}
        return {**rows, "clock": clock(case.clock_minutes[1])}
    if slot_id == "imaging":
        return {"study": case.imaging.study, "finding": case.text(f"imaging:{case.imaging.id}")}
    return {"order": case.order_text} if slot_id == "order" else {}


def _story_fields(case: SimulatedCase) -> dict[str, str]:
    told = list(case.told_events)
    case.rng("telling").shuffle(told)
    fields: dict[str, str] = {}
    for letter, event_id in zip("abc", told, strict=True):
        fact = case.facts[event_id]
        fields |= {letter: fact.text, f"t{letter}": ago(-fact.time_hours)}
    return fields
