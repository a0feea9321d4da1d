"""Omission detection in group decision-making (proactive, from the paper's first figure; the kinds are ours).

Somebody has said what is needed, and the sheet, table or tick list that should hold it holds something else.

Sample: "Before we move on: the heparin goes by body size, so that must be on the sheet." ... "Intake sheet: Last meal:
at 07:15; Foot pulses: palpable." ... query "I am off to theatre. Please put a title on the handover entry." -> "One
thing first: the requested entry on body size is missing."

Labels: no_flag, flag_lab, flag_imaging, flag_intake, flag_exam, flag_guideline. Metric: macro-F1.
Oracle: the needed entry is not visible anywhere in the scene. Need and entry use different words, all needs are drawn
alike, and an entry that is missing is replaced by another one, so that every entry is as common with a need as without.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bsft.bench.bank.schema import GuidelineStep
from bsft.bench.casefile import CaseFile
from bsft.bench.oracle import is_visible
from bsft.bench.perturb import Pair, place
from bsft.bench.records import Role, TaskSpec
from bsft.bench.scene import Slot, fill
from bsft.bench.simulate import Simulator
from bsft.bench.tasks.twins import NO_FLAG, choose_kind
from bsft.bench.wordings import Need, pick

SPEC = TaskSpec(
    name="omission_detection",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_lab", "flag_imaging", "flag_intake", "flag_exam", "flag_guideline"],
    source="paper",
)

KINDS = {
    "omission/allergy": 0.06, "omission/history": 0.24, "omission/exam": 0.2, "omission/lab": 0.2,
    "omission/imaging": 0.15, "omission/guideline_step": 0.15,
}  # fmt: skip
ALLERGY_INSTEAD_SHARE = KINDS["omission/allergy"] / KINDS["omission/history"]
"""Allergies replace another entry as often as another entry replaces them."""

LISTENERS: tuple[tuple[str, Role], ...] = (
    ("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident"), ("Nurse", "nurse"),
)  # fmt: skip
RECORDERS: tuple[tuple[str, Role], ...] = (("Sheet", "record"), ("Nurse", "nurse"), ("Resident", "resident"))

BYSTANDER_SHARE = 0.5
"""Share of scenes that also announce a need that the sheet meets."""


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, random.Random], Pair | None]] = {
        "omission/allergy": _allergy,
        "omission/history": _history,
        "omission/exam": _exam,
        "omission/lab": _lab,
        "omission/imaging": _imaging,
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
        "image_need": rng.choice(_fitting(case, needs.imaging)).topic,
        "step": step_name(rng.choice(_steps(case))),
    }


_STEP_JOINTS = (
    "and", "before", "after", "within", "at", "while", "if", "for", "in", "until", "with", "to", "every", "because",
    "when", "unless", "once", "from", "by", "on", "as", "that",
)  # fmt: skip


def step_name(step: GuidelineStep) -> str:
    """The head of a step's text, up to a comma or a joint: "calculate the Glasgow-Blatchford score"."""
    words = step.text.replace(" at once", "").partition(",")[0].split()
    joints = [i for i, word in enumerate(words) if word in _STEP_JOINTS and i > 1 and words[i - 1] not in _STEP_JOINTS]
    return " ".join(words[: joints[0]] if joints else words)


def _steps(case: CaseFile) -> list[GuidelineStep]:
    return [step for step in case.condition.guideline_steps if step.essential]


def _fitting(case: CaseFile, needs: list[Need]) -> list[Need]:
    """Needs that suit the patient's age and that the base scene does not meet already."""
    return [
        need
        for need in needs
        if need.min_age_years <= case.person.age_years <= need.max_age_years
        and not (need.avoid and is_visible(case.core, need.avoid))
    ]


def _entry(case: CaseFile, need: Need) -> str:
    """The sheet's entry that meets a need."""
    threads, rng = case.words.threads, case.rng("entries")
    chosen = {"meal": rng.choice(threads.meals), "tetanus": rng.choice(threads.tetanus), "kin": rng.choice(threads.kin)}
    return fill(need.entry, {**case.fields, **chosen})


def _need_line(case: CaseFile, need: Need, name: str = "need") -> Slot:
    purpose = fill(need.purpose, case.fields)
    speaker = case.speaker(name, LISTENERS)
    return case.slot(name, case.words.threads.need_line, speaker, purpose=purpose)


def _allergy(case: CaseFile, rng: random.Random) -> Pair | None:
    history, allergies = _intake_needs(case)
    return _sheet_pair(case, rng, "omission/allergy", (allergies[0], rng.choice(history)))


def _history(case: CaseFile, rng: random.Random) -> Pair | None:
    history, allergies = _intake_needs(case)
    needed, instead = rng.sample(history, 2)
    return _sheet_pair(
        case, rng, "omission/history", (needed, allergies[0] if rng.random() < ALLERGY_INSTEAD_SHARE else instead)
    )


def _intake_needs(case: CaseFile) -> tuple[list[Need], list[Need]]:
    """Needs of the intake sheet that concern the history, and the one that concerns allergies."""
    needs = _fitting(case, case.words.threads.needs.intake)
    return [need for need in needs if need.id != "allergy"], [need for need in needs if need.id == "allergy"]


def _exam(case: CaseFile, rng: random.Random) -> Pair | None:
    needed, instead = rng.sample(_fitting(case, case.words.threads.needs.exam), 2)
    return _sheet_pair(case, rng, "omission/exam", (needed, instead))


def _sheet_pair(case: CaseFile, rng: random.Random, kind: str, needs: tuple[Need, Need]) -> Pair | None:
    """A sheet with one intake entry and one check, in place of the allergy turn, since allergies are an entry.

    In the perturbed twin the needed entry, the first of `needs`, has given way to the second.
    """
    all_needs = case.words.threads.needs
    sort, other_sort = ("exam", "intake") if kind == "omission/exam" else ("intake", "exam")
    other = rng.choice(_fitting(case, all_needs.intake if other_sort == "intake" else all_needs.exam))
    template = pick(case.words.threads.sheet, case.edition, rng)
    sheet = Slot("allergy", *rng.choice(RECORDERS), template, {})
    return _record_pair(case, rng, kind, sort, sheet, (*needs, other), {f"{other_sort}_need": other.topic})


def _imaging(case: CaseFile, rng: random.Random) -> Pair | None:
    """A list of older images with two entries."""
    needs = _fitting(case, case.words.threads.needs.imaging)
    if len(needs) < 3:
        return None
    archive = Slot("archive", *rng.choice(RECORDERS[1:]), pick(case.words.threads.archive, case.edition, rng), {})
    needed, instead, other = rng.sample(needs, 3)
    return _record_pair(case, rng, "omission/imaging", "image", archive, (needed, instead, other), {})


def _record_pair(
    case: CaseFile, rng: random.Random, kind: str, sort: str, record: Slot, needs: tuple[Need, Need, Need],
    claims: Mapping[str, str],
) -> Pair | None:  # fmt: skip
    """A record of two entries: the needed one or the one in its place, and another."""
    needed, instead, other = needs
    entries = [_entry(case, need) for need in (needed, other)]
    places = rng.sample((0, 1), 2)
    record = replace(record, fields={f"f{place}": entry for place, entry in zip(places, entries, strict=True)})
    scene = case.core.swap(record) if record.id in case.core else place(case, case.core, rng, record)
    if rng.random() < BYSTANDER_SHARE:
        scene = place(case, scene, rng, _need_line(case, other, "other need"))
    scene = place(case, scene, rng, _need_line(case, needed))
    label = "flag_imaging" if sort == "image" else f"flag_{sort}"
    return Pair(
        kind, label, scene, record.id, f"f{places[0]}", _entry(case, instead),
        not is_visible(scene, entries[0], outside=record.id), claims={**claims, f"{sort}_need": needed.topic},
        partner="need",
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
    return Pair(
        "omission/lab", "flag_lab", scene, "laboratory", field, rows[1], determinable, claims=claims, partner="need"
    )


def _guideline_step(case: CaseFile, rng: random.Random) -> Pair | None:
    """Two steps are shared out; the tick list holds ours, or only the one that was for the ward team."""
    steps = _steps(case)
    if len(steps) < 2:
        return None
    ours, theirs = rng.sample(steps, 2)
    threads = case.words.threads
    plan = case.slot("plan", threads.plan_line, case.speaker("plan", LISTENERS), ours=ours.text, theirs=theirs.text)
    done = case.slot("done", threads.done_line, case.speaker("done", LISTENERS), done=ours.text)
    scene = place(case, case.core, rng, plan, done)
    claims = {"step": step_name(ours)}
    return Pair("omission/guideline_step", "flag_guideline", scene, "done", "done", theirs.text, claims=claims)
