"""Omission detection in group decision-making (proactive, from the paper's first figure; the kinds are ours).

Somebody has said what is needed, and the sheet, table or tick list that should hold it holds something else.

Sample: "Before we move on: the heparin goes by body size, so that must be on the sheet." ... "Intake sheet: Last meal:
at 07:15; Foot pulses: palpable." ... query "I am off to theatre. Please put a title on the handover entry." -> "One
thing first: the needed entry on body size is missing."

Labels: no_flag, flag_lab, flag_intake, flag_exam, flag_guideline. Metric: macro-F1.
Oracle: the needed entry is not visible anywhere in the scene. Need and entry use different words, all needs are drawn
alike, and an entry that is missing is replaced by another one, so that every entry is as common with a need as without.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable

from bsft.bench.bank.schema import GuidelineStep
from bsft.bench.casefile import CaseFile
from bsft.bench.oracle import is_visible
from bsft.bench.perturb import Pair, place
from bsft.bench.records import TaskSpec
from bsft.bench.scene import Slot, fill
from bsft.bench.simulate import Simulator
from bsft.bench.tasks.twins import NO_FLAG, choose_kind
from bsft.bench.wordings import Need, pick

SPEC = TaskSpec(
    name="omission_detection",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_lab", "flag_intake", "flag_exam", "flag_guideline"],
    source="paper",
)

KINDS = {"omission/intake": 0.3, "omission/exam": 0.25, "omission/lab": 0.25, "omission/guideline_step": 0.2}

BYSTANDER_SHARE = 0.5
"""Share of scenes that also announce a need that the sheet meets."""


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, random.Random], Pair | None]] = {
        "omission/intake": _intake,
        "omission/exam": _exam,
        "omission/lab": _lab,
        "omission/guideline_step": _guideline_step,
    }
    for kind in choose_kind(case, KINDS, rng):
        if (made := makers[kind](case, rng)) is not None:
            return made
    raise ValueError(f"{case.case.id} ({case.condition.id}): nothing can be left out")


def claim_fields(case: CaseFile) -> dict[str, str]:
    """What the claims of this task name: one possible need of each sort."""
    rng = case.rng("needs")
    needs = case.words.threads.needs
    return {
        "lab_need": rng.choice(_lab_needs(case, case.labs) or needs.lab).topic,
        "intake_need": rng.choice(_fitting(case, needs.intake)).topic,
        "exam_need": rng.choice(_fitting(case, needs.exam)).topic,
        "step": step_name(rng.choice(_steps(case))),
    }


_STEP_TAIL = re.compile(
    r",| (?:and|before|after|within|at|while|if|for|in|until|with|to|every|because|when|unless|once|from|by|on|as"
    r"|that)\b"
)


def step_name(step: GuidelineStep) -> str:
    """The head of a step's text: "calculate the Glasgow-Blatchford score"."""
    words = step.text.split()
    head = " ".join(words[:2])
    return (head + _STEP_TAIL.split(step.text[len(head) :])[0]).strip()


def _steps(case: CaseFile) -> list[GuidelineStep]:
    return [step for step in case.condition.guideline_steps if step.essential]


def _fitting(case: CaseFile, needs: list[Need]) -> list[Need]:
    """Needs that suit the patient's age and that the base scene does not meet already."""
    return [
        need
        for need in needs
        if case.person.age_years >= need.min_age_years and not (need.avoid and is_visible(case.core, need.avoid))
    ]


def _entry(case: CaseFile, need: Need) -> str:
    """The sheet's entry that meets a need."""
    threads, rng = case.words.threads, case.rng("entries")
    chosen = {"meal": rng.choice(threads.meals), "tetanus": rng.choice(threads.tetanus), "kin": rng.choice(threads.kin)}
    return fill(need.entry, {**case.fields, **chosen})


def _need_line(case: CaseFile, need: Need, name: str = "need") -> Slot:
    purpose = fill(need.purpose, case.fields)
    speaker = case.speaker(name, (("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident")))
    return case.slot(name, case.words.threads.need_line, speaker, purpose=purpose)


def _intake(case: CaseFile, rng: random.Random) -> Pair | None:
    return _sheet_pair(case, rng, "intake")


def _exam(case: CaseFile, rng: random.Random) -> Pair | None:
    return _sheet_pair(case, rng, "exam")


def _sheet_pair(case: CaseFile, rng: random.Random, sort: str) -> Pair | None:
    """A sheet with one intake entry and one check, in place of the allergy turn, since allergies are an entry.

    In the perturbed twin the needed entry has given way to another one of its sort.
    """
    pools = {
        "intake": _fitting(case, case.words.threads.needs.intake),
        "exam": _fitting(case, case.words.threads.needs.exam),
    }
    if min(len(pool) for pool in pools.values()) < 2:
        return None
    other_sort = "exam" if sort == "intake" else "intake"
    needed, instead = rng.sample(pools[sort], 2)
    other = rng.choice(pools[other_sort])
    entries = [_entry(case, needed), _entry(case, other)]
    order = rng.sample((0, 1), 2)
    template = pick(case.words.threads.sheet, case.edition, rng)
    sheet = Slot("allergy", "Sheet", "record", template, {f"f{place}": entries[i] for i, place in enumerate(order)})
    scene = case.core.swap(sheet)
    claims = {f"{sort}_need": needed.topic, f"{other_sort}_need": other.topic}
    if rng.random() < BYSTANDER_SHARE:
        scene = place(case, scene, rng, _need_line(case, other, "other need"))
    scene = place(case, scene, rng, _need_line(case, needed))
    return Pair(
        f"omission/{sort}", f"flag_{sort}", scene, "allergy", f"f{order[0]}", _entry(case, instead),
        not is_visible(scene, entries[0], outside="allergy"), claims=claims,
    )  # fmt: skip


def _lab_needs(case: CaseFile, kept: Iterable[str]) -> list[Need]:
    """Laboratory needs that the rows `kept` do not meet and that have a normal result in this condition."""
    shown = set(kept)
    return [
        need
        for need in case.words.threads.needs.lab
        if need.id not in shown and need.id not in case.condition.labs and not shown & set(need.answered_by)
    ]


def _lab(case: CaseFile, rng: random.Random) -> Pair | None:
    """One row of the table is the needed result, or another result that nobody needs."""
    replaced = rng.choice([a for a in case.labs if a in case.condition.normal_labs])
    needs = _lab_needs(case, [a for a in case.labs if a != replaced])
    if len(needs) < 2:
        return None
    needed, instead = rng.sample(needs, 2)
    simulator = Simulator(case.bank, case.words, case.foils)
    rows = [simulator.lab(need.id, case.condition, case.person, 0.5, rng).text for need in (needed, instead)]
    field = f"row{case.labs.index(replaced)}"
    scene = place(case, case.core.put("laboratory", **{field: rows[0]}), rng, _need_line(case, needed))
    determinable = not is_visible(scene, rows[0], outside="laboratory")
    claims = {"lab_need": needed.topic}
    return Pair("omission/lab", "flag_lab", scene, "laboratory", field, rows[1], determinable, claims=claims)


def _guideline_step(case: CaseFile, rng: random.Random) -> Pair | None:
    """Two steps are shared out; the tick list holds ours, or only the one that was for the ward team."""
    steps = _steps(case)
    if len(steps) < 2:
        return None
    ours, theirs = rng.sample(steps, 2)
    threads = case.words.threads
    speaker = case.speaker("plan", (("Attending", "attending"), ("Consultant", "consultant")))
    plan = case.slot("plan", threads.plan_line, speaker, ours=ours.text, theirs=theirs.text)
    done = case.slot("done", threads.done_line, ("Nurse", "nurse"), done=ours.text)
    scene = place(case, case.core, rng, plan, done)
    claims = {"step": step_name(ours)}
    return Pair("omission/guideline_step", "flag_guideline", scene, "done", "done", theirs.text, claims=claims)
