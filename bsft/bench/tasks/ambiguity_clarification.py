"""Ambiguity clarification (proactive; one of the two acts that the paper's abstract names, made a category by us).

An instruction fits two of the things that were listed, and the agent asks which is meant before anything goes wrong.

Sample: "Outside are the cousin Peter, the cousin Anna and the neighbour Mr Hill." ... "Please hand the parking permit
to the gentleman outside." ... query "Carry on, please: file this conversation." -> "Before we go on: it is unclear
which visitor is meant."

Labels: no_flag, flag_referent, flag_side, flag_strength, flag_duration. Metric: macro-F1.
Oracle: three things of two classes are listed; the instruction names a class, and is ambiguous exactly when two of
the three belong to it. Both classes are named equally often in either twin, and every word occurs equally often.
"""

from __future__ import annotations

import random

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import Pair, clarify, place
from bsft.bench.records import TaskSpec
from bsft.bench.scene import Slot
from bsft.bench.tasks.twins import NO_FLAG, choose_kind
from bsft.bench.wordings import pick

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

SPEAKERS = (
    ("Nurse", "nurse"), ("Resident", "resident"), ("Attending", "attending"), ("Consultant", "consultant"),
)  # fmt: skip

BYSTANDER_SHARE = 0.6
"""Share of scenes that also hold an instruction of another kind, which is clear."""
CLARIFIED_SHARE = 0.7
"""Share of those whose speaker adds needlessly which thing is meant, so that such a remark says nothing."""


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """An instruction that becomes ambiguous, and sometimes one that stays clear, each with its context."""
    kind, bystander = [kind for kind in choose_kind(case, KINDS, rng) if _suits(case, kind)][:2]
    scene = case.core
    if rng.random() < BYSTANDER_SHARE:
        *others, _, _ = _thread(case, bystander, rng)
        scene = place(case, scene, rng, *others)
        if rng.random() < CLARIFIED_SHARE:
            scene = clarify(case, scene, others[1].id, LABELS[bystander], rng)
    context, instruction, field, after = _thread(case, kind, rng)
    scene = place(case, scene, rng, context, instruction)
    return Pair(kind, LABELS[kind], scene, instruction.id, field, after)


def _suits(case: CaseFile, kind: str) -> bool:
    """Whether the kind's things suit the patient's age."""
    threads = case.words.threads
    name = kind.split("/")[1]
    entry = threads.strengths if name == "unit" else threads.ambiguities[name]
    return case.person.age_years >= entry.min_age_years


def _thread(case: CaseFile, kind: str, rng: random.Random) -> tuple[Slot, Slot, str, str]:
    """Context and clear instruction, with the instruction's field and the text that makes it ambiguous."""
    name = kind.split("/")[1]
    make = _strength_thread if name == "unit" else _class_thread
    context, fields, instruction, field, clear, ambiguous = make(case, name, rng)
    listing = Slot(f"{name} context", *rng.choice(SPEAKERS[:2]), context, {**case.fields, **fields})  # type: ignore[arg-type]
    asking = Slot(f"{name} instruction", *rng.choice(SPEAKERS), instruction, {**case.fields, field: clear})  # type: ignore[arg-type]
    return listing, asking, field, ambiguous


def _class_thread(case: CaseFile, name: str, rng: random.Random) -> tuple[str, dict[str, str], str, str, str, str]:
    ambiguity = case.words.threads.ambiguities[name]
    double, single = rng.sample(sorted(ambiguity.classes), 2)
    things = [*rng.sample(ambiguity.classes[double], 2), rng.choice(ambiguity.classes[single])]
    rng.shuffle(things)
    context = pick(ambiguity.context, case.edition, rng)
    instruction = pick(ambiguity.instruction, case.edition, rng)
    return context, {f"i{i}": thing for i, thing in enumerate(things)}, instruction, "class", single, double


def _strength_thread(case: CaseFile, name: str, rng: random.Random) -> tuple[str, dict[str, str], str, str, str, str]:
    strengths = case.words.threads.strengths
    double, single = rng.sample(sorted(strengths.supplements), 2)
    d0, d1 = rng.sample(strengths.supplements[double], 2)
    contexts = strengths.context if rng.random() < 0.5 else strengths.context_reversed
    fields = {"double": double, "single": single, "d0": d0, "d1": d1, "s0": rng.choice(strengths.supplements[single])}
    instruction = pick(strengths.instruction, case.edition, rng)
    return pick(contexts, case.edition, rng), fields, instruction, "supplement", single, double
