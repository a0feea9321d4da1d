"""What a perturbation is, and the edits that several tasks share.

A pair is one clean scene and one edit of one field. Its two members have the same wordings and the same options; the
texts that the edit takes out and puts in are drawn so that each is as frequent in clean scenes as in perturbed ones.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from bsft.bench.bank.schema import Analyte, Range
from bsft.bench.casefile import CaseFile
from bsft.bench.records import Perturbation
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulate import lab_row, number, reference_range
from bsft.bench.wordings import pick

HELDOUT_KINDS = frozenset({"error/age", "error/unit", "consistency/clock"})
"""Kinds that only the split `test_heldout` contains; each shares its label with a kind that is trained."""


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
    determinable: bool
    claims: Mapping[str, str] = field(default_factory=dict)
    """Fields of the claims that this pair decides itself, e.g. the analyte that was changed."""
    urgent: bool = False

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
    """Inserts slots, in their order, somewhere after the opening; often at the end, so that prefixes stay shared."""
    floor = 2
    for slot in slots:
        last = len(scene.slots)
        position = last if rng.random() < 0.5 else rng.randint(min(floor, last), last)
        scene = scene.insert(position, slot)
        floor = position + 1
    return scene


def remark(case: CaseFile, label: str, fields: Mapping[str, str], rng: random.Random) -> Slot:
    """Somebody says that the problem is known and being dealt with."""
    template = pick(case.words.replies.resolutions[label], case.edition, rng)
    speaker, role = rng.choice((("Attending", "attending"), ("Consultant", "consultant"), ("Nurse", "nurse")))
    return Slot("remark", speaker, role, template, {**case.fields, **fields})  # type: ignore[arg-type]


def row_of(case: CaseFile, analyte_id: str) -> str:
    """Name of the field of the base scene's table that holds this analyte."""
    return f"row{case.labs.index(analyte_id)}"


def row_text(case: CaseFile, analyte_id: str, value: float) -> str:
    analyte = case.bank.analytes[analyte_id]
    return lab_row(analyte, value, reference_range(analyte, case.person))


def spoken_analyte(analyte: Analyte) -> str:
    """Name inside a sentence: "potassium", but "INR", "C-reactive protein" and "pH" as they are."""
    name = analyte.name
    return name[0].lower() + name[1:] if name[1:2].islower() and name[1:2] != "H" and "-" not in name[:2] else name


def beyond(limit_low: float | None, limit_high: float | None, plausible: Range, rng: random.Random) -> float | None:
    """A value clearly beyond one of two limits and still compatible with life; None when there are no limits."""
    sides = [side for side, limit in (("low", limit_low), ("high", limit_high)) if limit is not None]
    if not sides:
        return None
    if rng.choice(sides) == "low":
        assert limit_low is not None
        return limit_low - rng.uniform(0.05, 0.3) * (limit_low - plausible.low)
    assert limit_high is not None
    return limit_high + rng.uniform(0.04, 0.2) * (min(plausible.high, 2.5 * abs(limit_high)) - limit_high)


def shift_decimal(value: float, decimals: int, up: bool) -> str:
    """The value with its decimal point moved by one place."""
    if up:
        return number(value * 10, max(decimals - 1, 0))
    return number(value / 10, decimals + 1)
