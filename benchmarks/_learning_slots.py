"""The four kinds of problem of the learning prototypes, each made with its twin that lacks it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks._learning_facts import (
    ACTS,
    CLASSES,
    LABS,
    PARTS,
    REACTIONS,
    STEPS,
    VITALS,
    Act,
    Measure,
    Part,
)

OTHER_SIDE = {"left": "right", "right": "left"}
_SEXES = {"man": "male", "woman": "female"}


@dataclass(frozen=True)
class Patient:
    """Who a scene is about: a complaint on one side (`part`), and an act that is planned."""

    age: int
    sex: str
    side: str
    part: Part
    act: Act

    @classmethod
    def draw(cls, rng: random.Random) -> Patient:
        act = rng.choice(ACTS)
        age = rng.randint(18, 44) if act.fertile else rng.randint(56, 94)
        sex = "woman" if act.fertile else rng.choice(tuple(_SEXES))
        return cls(age, sex, rng.choice(tuple(OTHER_SIDE)), rng.choice(PARTS), act)

    @property
    def one_sided_complaint(self) -> str:
        return self.part.complaint.format(s=self.side)


@dataclass(frozen=True)
class Slot:
    """A place in a scene where a problem can be.

    Attributes:
        kind, variant: what sort of problem.
        combination: what the problem consists of; held-out pairs have combinations of their own.
        earlier: turns that both twins have before the finding.
        finding: the turn in which twins differ, with the problem and without.
        order: a turn after all findings, of both twins; with it the problem is due, else with the finding.
        plan: what of this goes into the errand.
        concern: the problem with both pieces of evidence.
        generic: the same without them.
    """

    kind: str
    variant: str
    combination: tuple[str, ...]
    earlier: tuple[str, ...]
    finding: tuple[str, str]
    order: str | None
    plan: str
    concern: str
    generic: str


def limit(rng: random.Random, patient: Patient, n_shown: int) -> Slot:
    """A value far beyond its limit among `n_shown`; the twin's is normal or barely abnormal."""
    vital = rng.random() < 0.5
    # what is a step of the planned act would answer the other question
    taken = {patient.act.needs, *patient.act.also}
    pool = VITALS if vital else [m for m in LABS if f"the {m.name}" not in taken]
    shown = rng.sample(pool, n_shown)
    measure = rng.choice(shown)
    too_high = measure.low is None or (measure.high is not None and rng.random() < 0.5)
    critical = rng.uniform(*((measure.high if too_high else measure.low) or measure.reference))
    others = {m.name: m.written(_harmless(rng, m)) for m in shown}
    calm = measure.written(_harmless(rng, measure))
    bad = measure.written(critical)
    opening = rng.choice(_VITAL_OPENINGS if vital else _LAB_OPENINGS)

    def turn(value: str) -> str:
        values = others | {measure.name: value}
        rows = [f"{m.name} {values[m.name]}" + ("" if vital else _limits(m)) for m in shown]
        return f"{opening} {', '.join(rows)}."

    bound = measure.reference[1 if too_high else 0]
    where = ("above the upper" if too_high else "below the lower") + f" limit of {bound:.{measure.decimals}f}"
    return Slot(
        "limit",
        "vital" if vital else "lab",
        (measure.name, bad, calm),
        (),
        (turn(bad), turn(calm)),
        None,
        "",
        rng.choice(("the {m} of {v} is far {w} and needs action now", "a {m} of {v}, {w}, cannot wait")).format(
            m=measure.name, v=bad, w=where
        ),
        "a critical value has been passed over",
    )


_VITAL_OPENINGS = ("Nurse: Observations:", "Nurse: I have just measured", "Nurse: Latest set:", "Student: I got")
_LAB_OPENINGS = ("Laboratory:", "Resident: Bloods are back:", "Nurse: The lab rang through", "Resident: Results today:")


def _limits(measure: Measure) -> str:
    low, high = (f"{bound:.{measure.decimals}f}" for bound in measure.reference)
    return f" ({low}-{high})"


def _harmless(rng: random.Random, measure: Measure) -> float:
    """Inside the reference range, or, now and then, a little beyond its upper end."""
    low, high = measure.reference
    if rng.random() < 0.3 and measure.name != "oxygen saturation":
        return high + rng.uniform(0.02, 0.12) * (high - low)
    return rng.uniform(low, high)


def equality(rng: random.Random, patient: Patient, n_shown: int) -> Slot:
    """Two mentions of a side, sex or weight that have to agree."""
    return rng.choice((_side, _side, _sex, _weight))(rng, patient)


def _side(rng: random.Random, patient: Patient) -> Slot:
    report, other = rng.choice(patient.part.reports), OTHER_SIDE[patient.side]
    opening = rng.choice(("Report:", "Radiology:", "Resident: The report says:", "Nurse: This came back:"))
    return Slot(
        "equality",
        "side",
        (report, patient.side, "woman" if patient.sex == "woman" else "man", str(patient.age // 4)),
        (),
        (f"{opening} {report.format(s=other)}.", f"{opening} {report.format(s=patient.side)}."),
        None,
        "",
        rng.choice(
            (
                f"the complaint is on the {patient.side} and the report is about the {other}",
                f"the report names the {other} side, the patient the {patient.side}",
            )
        ),
        "two entries do not agree",
    )


def _sex(rng: random.Random, patient: Patient) -> Slot:
    right = _SEXES[patient.sex]
    wrong = next(sex for sex in _SEXES.values() if sex != right)
    what = rng.choice(("sample", "wristband", "request form", "drug chart", "consent form", "scan", "ECG", "blood bag"))
    verb = rng.choice(("says", "reads", "is marked", "is printed with"))
    return Slot(
        "equality",
        "sex",
        (what, verb, patient.sex, str(patient.age)),
        (),
        (f"Nurse: The {what} {verb}: {wrong}, {patient.age}.", f"Nurse: The {what} {verb}: {right}, {patient.age}."),
        None,
        "",
        f"the patient is a {patient.sex} and the {what} is marked {wrong}",
        "two entries do not agree",
    )


def _weight(rng: random.Random, patient: Patient) -> Slot:
    right = rng.randint(44, 118)
    wrong = rng.choice([kg for kg in range(44, 119) if abs(kg - right) >= 15])
    opening = rng.choice(("Pharmacist: I worked the dose out for", "Chart: Dose based on", "Resident: Dosed for"))
    return Slot(
        "equality",
        "weight",
        (str(right), str(wrong)),
        (rng.choice(("Nurse: The scales show {kg} kg.", "Patient: I weigh {kg} kg.")).format(kg=right),),
        (f"{opening} {wrong} kg.", f"{opening} {right} kg."),
        None,
        "",
        f"the weight is {right} kg and the dose was worked out for {wrong} kg",
        "two entries do not agree",
    )


def lookup(rng: random.Random, patient: Patient, n_shown: int) -> Slot:
    """An allergy against an ordered medicine; the twin's allergy is to another class."""
    allowed = [c for c in CLASSES if c.name not in patient.act.avoid]
    ordered = rng.choice(allowed)
    medicine = rng.choice(ordered.medicines)
    other = rng.choice([c for c in allowed if c is not ordered and c.name not in ordered.related])
    reaction = rng.choice(REACTIONS)
    told = rng.choice(
        (
            "Nurse: The wristband lists an allergy to {c} ({r}).",
            "Pharmacist: Allergies on the sheet: {c} ({r}).",
            "Patient: I must not have {c}, I got {r} from them.",
            "Daughter: The {c} once led to {r}.",
        )
    )
    order = rng.choice(
        (
            "Attending: Right, start {d} for {r}.",
            "Attending: I suggest {d} for {r}.",
            "Resident: We give {d} for {r}, agreed?",
            "Attending: For {r}, {d} from today.",
        )
    )
    return Slot(
        "lookup",
        "allergy",
        (ordered.name, medicine, other.name),
        (),
        (told.format(c=ordered.name, r=reaction), told.format(c=other.name, r=reaction)),
        order.format(d=medicine, r=ordered.reason),
        f"{medicine} for {ordered.reason}",
        rng.choice(
            (
                f"the allergy to {ordered.name} ({reaction}) rules out {medicine}",
                f"{medicine} is one of the {ordered.name}, which caused {reaction}",
            )
        ),
        "an allergy rules that medicine out",
    )


def step(rng: random.Random, patient: Patient, n_shown: int) -> Slot:
    """An act without the step that has to come first; something beside the point is done instead."""
    act = patient.act
    other = rng.choice([s for s in STEPS if s != act.needs and s not in act.also])
    pending = rng.random() < 0.5
    form = rng.choice(_STEP_PENDING if pending else _STEP_DONE)
    order = rng.choice(("Attending: Good, let us {o}.", "Attending: Then {o}, please.", "Resident: So we {o}, agreed?"))
    return Slot(
        "step",
        "pending" if pending else "absent",
        (act.order, other, form),
        (),
        (form.format(done=other, open=act.needs), form.format(done=act.needs, open=other)),
        order.format(o=act.order),
        act.order,
        rng.choice(
            (
                f"{act.needs} must be seen before we {act.order}",
                f"we cannot {act.order} without {act.needs}",
            )
        ),
        "a step is missing before that",
    )


_STEP_DONE = (
    "Nurse: Done and in order so far: {done}.",
    "Nurse: I have ticked off {done}, all fine.",
    "Resident: We already have {done}, nothing unusual.",
    "Student: On the chart I find {done}, normal.",
)
_STEP_PENDING = (
    "Nurse: Done and in order: {done}. Still to come: {open}.",
    "Resident: We are waiting for {open}; back and fine: {done}.",
    "Nurse: Not done yet: {open}. Ticked off: {done}.",
    "Student: I find {done}, normal, but not yet {open}.",
)

MAKERS: dict[str, Callable[[random.Random, Patient, int], Slot]] = {
    "limit": limit,
    "equality": equality,
    "lookup": lookup,
    "step": step,
}
KINDS = tuple(MAKERS)
