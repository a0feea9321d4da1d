"""What a perturbation is, and the edits that several tasks share.

A pair is one clean scene and one edit of one field. Its two members have the same wordings and the same options; the
texts that the edit takes out and puts in are drawn so that each is as frequent in clean scenes as in perturbed ones.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bsft.bench.bank.schema import Analyte, Range
from bsft.bench.casefile import CaseFile
from bsft.bench.records import Perturbation, Role
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulate import lab_row, number, reference_range
from bsft.bench.wordings import allowed

HELDOUT_KINDS = frozenset({"error/age", "error/unit", "consistency/clock"})
"""Kinds that only the split `test_heldout` contains; each shares its label with a kind that is trained."""

OPENING_TURNS = 1
"""Side threads come after the opening."""

LATE_SHARE = 0.25
"""How often a side thread is put at the end of a scene; otherwise it stands anywhere after the opening."""

REMARKING: tuple[tuple[str, Role], ...] = (
    ("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
"""Who says that a matter is known and being dealt with."""

PROPER_NAMES = frozenset({"Doppler", "Kernig", "Rinne", "Weber", "Glasgow", "Epley"})

MAX_OTHER_SIDE_LINES = 2


@dataclass(frozen=True)
class Pair:
    """A clean scene and the edit that puts one problem into it."""

    kind: str
    label: str
    """Label of the reply that raises this problem."""
    clean: Scene
    slot: str
    field: str
    after: str
    determinable: bool = True
    claims: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fields of the claims that this pair decides itself, e.g. the analyte that was changed."""
    urgent: bool = False
    partner: str = ""
    """The slot without which the problem cannot be seen, if there is one that may stand after `slot`."""

    @property
    def before(self) -> str:
        return self.clean[self.slot].fields[self.field]

    @property
    def perturbed(self) -> Scene:
        return self.clean.put(self.slot, **{self.field: self.after})

    def record(self) -> Perturbation:
        return Perturbation.model_construct(
            kind=self.kind, locus=self.clean.locus(self.slot, self.field), before=self.before, after=self.after
        )


def place(case: CaseFile, scene: Scene, rng: random.Random, *slots: Slot) -> Scene:
    """Inserts slots, in their order, after the opening.

    In the split `hard` they stand as far apart as they can: the first at the opening and the others at the end.
    """
    floor = OPENING_TURNS
    for i, slot in enumerate(slots):
        last = len(scene.slots)
        if case.is_hard:
            position = last if i else min(floor, last)
        else:
            position = last if rng.random() < LATE_SHARE else rng.randint(min(floor, last), last)
        scene = scene.insert(position, slot)
        floor = position + 1
    return scene


def other_side_in(text: str, side: str, other_side: str) -> str:
    """The text with one side in place of the other; "right" is no part of "bright"."""
    return re.sub(rf"\b{side}\b", other_side, text)


def name_other_side(case: CaseFile, scene: Scene, rng: random.Random, *, flipped: str) -> Scene | None:
    """Lets the nurse name the unaffected side until flipping the mentions in `flipped` exchanges the counts.

    Word counts then hold no information on the flip. None where that would take too many lines, or fewer mentions.
    """
    words = re.findall(r"\b(?:left|right)\b", scene.text.lower())
    turned = len(re.findall(rf"\b{case.side}\b", flipped))
    missing = words.count(case.side) - turned - words.count(case.other_side)
    lines = list(allowed(case.words.threads.other_side_lines, case.edition))
    rng.shuffle(lines)
    if missing == 0:
        return scene
    if not 0 < missing <= min(MAX_OTHER_SIDE_LINES, len(lines)):
        return None
    template = " ".join(lines[:missing])
    return place(case, scene, rng, Slot("other side", "Nurse", "nurse", template, case.fields))


def settle(
    case: CaseFile, scene: Scene, pair: Pair, label: str, fields: Mapping[str, str], rng: random.Random
) -> Scene:
    """Lets somebody say that the matter of `label` is known and being dealt with, once the pair's own is visible."""
    seen = max(scene.index(name) for name in (pair.slot, pair.partner) if name)
    speaker, role = rng.choice(REMARKING)
    line = case.remark(label, fields, rng)
    return scene.insert(rng.randint(seen + 1, len(scene.slots)), Slot(f"remark {label}", speaker, role, line, {}))


def clarify(case: CaseFile, scene: Scene, slot_id: str, label: str, rng: random.Random) -> Scene:
    """Lets the speaker of an instruction say in the next breath which thing is meant."""
    asking = scene[slot_id]
    line = Slot(f"remark {label}", asking.speaker, asking.role, case.remark(label, {}, rng), {})
    return scene.insert(scene.index(slot_id) + 1, line)


def row_of(case: CaseFile, analyte_id: str) -> str:
    """Name of the field of the base scene's table that holds this analyte."""
    return f"row{case.labs.index(analyte_id)}"


def row_text(case: CaseFile, analyte_id: str, value: float) -> str:
    """The analyte's row with another value."""
    analyte = case.bank.analytes[analyte_id]
    return lab_row(analyte, value, reference_range(analyte, case.person))


def spoken(name: str) -> str:
    """A display name inside a sentence: "chest X-ray", but "MRI of the spine" and "Murphy's sign" as they are."""
    first = name.split()[0]
    if "'" in first or first in PROPER_NAMES or first[1:] != first[1:].lower() or not first[1:]:
        return name
    return name[0].lower() + name[1:]


def spoken_analyte(analyte: Analyte) -> str:
    """An analyte's name inside a sentence: "potassium", "INR", "D-dimer"."""
    return spoken(analyte.name)


def beyond(
    limit_low: float | None, limit_high: float | None, plausible: Range, rng: random.Random, *, subtle: bool
) -> float:
    """A value beyond one of two limits and still compatible with life; `subtle` values lie close to the limit.

    Raises:
        ValueError: there is no limit.
    """
    sides = [limit for limit in (limit_low, limit_high) if limit is not None]
    if not sides:
        raise ValueError("a critical value needs a critical limit")
    near, far = (0.02, 0.08) if subtle else (0.08, 0.3)
    limit = rng.choice(sides)
    if limit is limit_low:
        return limit - rng.uniform(near, far) * (limit - plausible.low)
    return limit + rng.uniform(near, far) * (min(plausible.high, 2.5 * abs(limit)) - limit)


def shift_decimal(value: float, decimals: int, up: bool) -> str:
    """The value with its decimal point moved by one place."""
    if up:
        return number(value * 10, max(decimals - 1, 0))
    return number(value / 10, decimals + 1)
