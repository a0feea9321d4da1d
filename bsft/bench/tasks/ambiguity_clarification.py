"""Ambiguity clarification.

Abstract: an instruction fits two of the things that were listed, and the agent asks which is meant before anything goes
    wrong.
Group: proactive. Source: ours; one of the two acts that the paper's abstract names.
Labels: no_flag, flag_referent, flag_side, flag_strength, flag_duration.
Metric: macro-F1.
Oracle: three things of two classes are listed; the instruction names a class, and is ambiguous exactly when two of the
    three belong to it. Both classes are named equally often in either twin, and every word occurs equally often.
Sample: "Outside are the cousin Peter, the cousin Anna and the neighbour Mr Hill." ... "Please hand the parking permit
    to the gentleman outside." and "Carry on, please: file this conversation." -> "Before we go on: it is unclear which
    visitor is meant."
"""

from __future__ import annotations

import random

from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Slot, Speaker
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.tasks.alerting import shuffled_kinds, with_clarification
from bsft.records.schema import TaskSpec

SPEC = TaskSpec(
    name="ambiguity_clarification",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_referent", "flag_side", "flag_strength", "flag_duration"],
    source="bsft",
)

KINDS = {"ambiguity/referent": 0.25, "ambiguity/laterality": 0.25, "ambiguity/unit": 0.25, "ambiguity/duration": 0.25}
LABELS = {
    "ambiguity/referent": "flag_referent", "ambiguity/laterality": "flag_side", "ambiguity/unit": "flag_strength",
    "ambiguity/duration": "flag_duration",
}  # fmt: skip

Thread = tuple[str, dict[str, str], str, str, str, str]
"""Context and its fields; instruction, its field, and what the field holds when clear and when ambiguous."""

SPEAKERS: tuple[Speaker, ...] = (
    ("Nurse", "nurse"), ("Resident", "resident"), ("Attending", "attending"), ("Consultant", "consultant"),
)  # fmt: skip

BYSTANDER_SHARE = 0.6
"""Share of scenes that also hold an instruction of another kind, which is clear."""
CLARIFIED_SHARE = 0.7
"""Share of those whose speaker adds needlessly which thing is meant, so that such a remark says nothing."""


def simulated_problem(case: SimulatedCase, rng: random.Random) -> Problem:
    """An instruction that becomes ambiguous, and sometimes one that stays clear, each with its context."""
    kind, bystander = [kind for kind in shuffled_kinds(case, KINDS, rng) if _suits(case, kind)][:2]
    scene = case.base_scene
    if rng.random() < BYSTANDER_SHARE:
        *others, _, _ = _thread(case, bystander, rng)
        scene = case.place(scene, rng, *others)
        if rng.random() < CLARIFIED_SHARE:
            scene = with_clarification(case, scene, others[1].id, LABELS[bystander], rng)
    context, instruction, field, after = _thread(case, kind, rng)
    scene = case.place(scene, rng, context, instruction)
    return Problem(kind, LABELS[kind], scene, instruction.id, field, after)


def _suits(case: SimulatedCase, kind: str) -> bool:
    """Whether the kind's things suit the patient's age."""
    threads = case.words.threads
    name = kind.split("/")[1]
    entry = threads.strengths if name == "unit" else threads.ambiguities[name]
    return case.person.age_years >= entry.min_age_years


def _thread(case: SimulatedCase, kind: str, rng: random.Random) -> tuple[Slot, Slot, str, str]:
    """Context and clear instruction, with the instruction's field and the text that makes it ambiguous."""
    name = kind.split("/")[1]
    make = _strength_thread if name == "unit" else _class_thread
    context, fields, instruction, field, clear, ambiguous = make(case, name, rng)
    listing = Slot(f"{name} context", *rng.choice(SPEAKERS[:2]), context, {**case.fields, **fields})
    asking = Slot(f"{name} instruction", *rng.choice(SPEAKERS), instruction, {**case.fields, field: clear})
    return listing, asking, field, ambiguous


def _class_thread(case: SimulatedCase, name: str, rng: random.Random) -> Thread:
    ambiguity = case.words.threads.ambiguities[name]
    double, single = rng.sample(sorted(ambiguity.classes), 2)
    things = [*rng.sample(ambiguity.classes[double], 2), rng.choice(ambiguity.classes[single])]
    rng.shuffle(things)
    context = case.pick(ambiguity.context, rng)
    instruction = case.pick(ambiguity.instruction, rng)
    return context, {f"i{i}": thing for i, thing in enumerate(things)}, instruction, "class", single, double


def _strength_thread(case: SimulatedCase, name: str, rng: random.Random) -> Thread:
    strengths = case.words.threads.strengths
    double, single = rng.sample(sorted(strengths.supplements), 2)
    d0, d1 = rng.sample(strengths.supplements[double], 2)
    contexts = strengths.context if rng.random() < 0.5 else strengths.context_reversed
    fields = {"double": double, "single": single, "d0": d0, "d1": d1, "s0": rng.choice(strengths.supplements[single])}
    instruction = case.pick(strengths.instruction, rng)
    return case.pick(contexts, rng), fields, instruction, "supplement", single, double
