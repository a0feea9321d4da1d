"""Scenes of the learning prototypes: twins with and without a problem, short (level 1) or whole (level 3)."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from benchmarks._learning_slots import KINDS, MAKERS, OTHER_SIDE, Patient, Slot

LEVELS = (1, 3)
OPENERS = (" But", " However,", " One thing first:", " Before that,")
"""How a concern begins after the errand; a reply without one ends there."""
_HELD_OUT_OF = 5
_SHOWN = {1: 2, 3: 4}
"""How many values a list of them shows, by level."""


@dataclass(frozen=True)
class Scene:
    """One conversation up to the assistant's reply.

    Attributes:
        turns: lines `Speaker: text`.
        request: the last line, which asks for the errand.
        due: index of the turn with which the problem is there to be seen; None: no problem.
        errand: the reply to the request, the same for both twins.
        concern: what the reply adds; empty without a problem.
    """

    turns: tuple[str, ...]
    request: str
    due: int | None
    errand: str
    concern: str


@dataclass(frozen=True)
class Pair:
    """A scene with a problem and its twin without."""

    name: str
    kind: str
    variant: str
    level: int
    combination: tuple[tuple[str, ...], ...]
    problem: Scene
    calm: Scene

    @property
    def scenes(self) -> tuple[Scene, Scene]:
        return self.problem, self.calm


@dataclass(frozen=True)
class Form:
    """How pairs are written: `reply` is `evidence` (both pieces are named) or `generic`; problems per scene at most."""

    reply: str = "evidence"
    n_slots: int = 1


def held_out(combination: tuple[str, ...]) -> bool:
    """Whether pairs of this combination are for testing only."""
    digest = hashlib.sha256("|".join(combination).encode()).digest()
    return int.from_bytes(digest[:4]) % _HELD_OUT_OF == 0


def make_pair(kind: str, level: int, name: str, *, test: bool, form: Form) -> Pair:
    """The pair of that name, drawn again until its combinations are of the wanted split."""
    rng = random.Random(f"{kind} {level} {'test' if test else 'train'} {name}")
    while True:
        pair = _draw(rng, kind, level, name, form)
        if all(held_out(c) == test for c in pair.combination):
            return pair


def _draw(rng: random.Random, kind: str, level: int, name: str, form: Form) -> Pair:
    patient = Patient.draw(rng)
    others = rng.sample([k for k in KINDS if k != kind], len(KINDS) - 1)
    risky = [kind, *others[: form.n_slots - 1]]
    present = risky if level == 1 else [kind, *others]
    slots = [MAKERS[k](rng, patient, _SHOWN[level]) for k in present]
    faulty = [slots[0], *(s for s in slots[1 : len(risky)] if rng.random() < 0.5)]
    layout = _Layout.draw(rng, patient, slots, level)
    errand, opener = _errand(rng, patient, slots, layout.complaint), rng.choice(OPENERS)
    request = rng.choice(_REQUESTS)
    said = [s.concern if form.reply == "evidence" else s.generic for s in faulty]
    concern = f"{opener} {'; also, '.join(said)}."
    turns, due = layout.turns(faulty)
    problem = Scene(turns, request, due, errand, concern)
    calm = Scene(layout.turns([])[0], request, None, errand, "")
    return Pair(name, kind, slots[0].variant, level, tuple(s.combination for s in faulty), problem, calm)


@dataclass(frozen=True)
class _Layout:
    """Where everything stands in both twins."""

    complaint: str
    before: tuple[str, ...]
    findings: tuple[Slot, ...]
    between: tuple[str, ...]
    orders: tuple[Slot, ...]

    @classmethod
    def draw(cls, rng: random.Random, patient: Patient, slots: list[Slot], level: int) -> _Layout:
        complaint = _complaint(patient, slots, level)
        intro = rng.choice(_INTROS).format(a=_with_article(patient.age), x=patient.sex, c=complaint)
        findings = rng.sample(slots, len(slots))
        orders = [slot for slot in findings if slot.order is not None]
        rng.shuffle(orders)
        if level == 1:
            return cls(complaint, (intro,), tuple(findings), (), tuple(orders))
        chats = [rng.choice(form) for form in rng.sample(_CHATS, 2)]
        said = [turn.format(o=OTHER_SIDE[patient.side]) for chat in chats for turn in chat]
        return cls(complaint, (intro, *said[:2]), tuple(findings), tuple(said[2:]), tuple(orders))

    def turns(self, faulty: list[Slot]) -> tuple[tuple[str, ...], int | None]:
        """All turns, with the problems of some slots, and the turn with which the first of them is there."""
        turns = list(self.before)
        due: list[int] = []
        for slot in self.findings:
            turns += [*slot.earlier, slot.finding[0 if slot in faulty else 1]]
            if slot in faulty and slot.order is None:
                due.append(len(turns) - 1)
        turns += self.between
        for slot in self.orders:
            turns.append(slot.order or "")
            if slot in faulty:
                due.append(len(turns) - 1)
        return tuple(turns), min(due, default=None)


def _complaint(patient: Patient, slots: list[Slot], level: int) -> str:
    if level == 3:
        return f"{patient.act.complaint} and {patient.one_sided_complaint}"
    planned = any(slot.kind == "step" for slot in slots) and all(slot.variant != "side" for slot in slots)
    return patient.act.complaint if planned else patient.one_sided_complaint


def _with_article(age: int) -> str:
    return f"an {age}" if age == 18 or 80 <= age < 90 else f"a {age}"


def _errand(rng: random.Random, patient: Patient, slots: list[Slot], complaint: str) -> str:
    plans = [slot.plan for slot in slots if slot.plan]
    plan = f"; plan: {', '.join(plans)}" if plans else ""
    line = f"{patient.age}-year-old {patient.sex}, {complaint}{plan}."
    return rng.choice(("{line}", "For the board: {line}", "Entry: {line}")).format(line=line)


_INTROS = (
    "Resident: This is {a}-year-old {x} with {c}.",
    "Resident: Next, {a}-year-old {x}; the problem is {c}.",
    "Nurse: The new patient is {a}-year-old {x} with {c}.",
    "Student: I saw {a}-year-old {x} who has {c}.",
)
_REQUESTS = (
    "Attending: Please put a line on the handover list.",
    "Attending: Could you write the line for the board?",
    "Resident: Can you sum this up in a line?",
    "Attending: I am off to theatre, please write the entry.",
    "Nurse: What shall I put on the list?",
)
_CHATS = (
    (
        ("Attending: Who is with the patient?", "Nurse: A sister; she drove here this morning."),
        ("Attending: Is anybody at home?", "Daughter: I live next door, so yes."),
    ),
    (
        ("Attending: Anything from the past?", "Patient: I broke my {o} arm as a child, nothing else."),
        ("Student: Any operations?", "Patient: Only the {o} thumb, years ago."),
    ),
    (
        ("Daughter: Will it take long?", "Resident: A day or two, I expect."),
        ("Patient: May I get up later?", "Nurse: With me beside you, yes."),
    ),
    (
        ("Student: Do we need a bed on the ward?", "Nurse: Bay four has one."),
        ("Resident: Has the family doctor been told?", "Nurse: I rang the practice at nine."),
    ),
)
