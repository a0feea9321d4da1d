"""Omission detection in group decision-making (proactive, from the paper's first figure; the kinds are ours).

Somebody has said what is needed, and the sheet, table or tick list that should hold it holds something else.

Sample: "Before we move on: the heparin goes by body size, so that must be on the sheet." ... "Intake sheet: Allergies:
latex; Last meal: at 07:15." ... query "I am off to theatre. Please put a title on the handover entry." -> "One thing
first: the needed entry on body size is missing."

Labels: no_flag, flag_lab, flag_intake, flag_exam, flag_guideline. Metric: macro-F1.
Oracle: the needed entry is not visible anywhere in the scene. Need and entry use different words, all needs are drawn
alike, and an entry that is missing is replaced by another one, so that every entry is as common with a need as without.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from bsft.bench.bank.schema import GuidelineStep
from bsft.bench.casefile import CaseFile
from bsft.bench.oracle import is_visible
from bsft.bench.perturb import Pair, place
from bsft.bench.records import TaskSpec
from bsft.bench.scene import Scene, Slot, fill
from bsft.bench.simulate import Simulator
from bsft.bench.tasks.common import NO_FLAG, choose_kind
from bsft.bench.wordings import Need, pick

SPEC = TaskSpec(
    name="omission_detection",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_lab", "flag_intake", "flag_exam", "flag_guideline"],
    source="paper",
)

KINDS = {"omission/intake": 0.3, "omission/exam": 0.25, "omission/lab": 0.25, "omission/guideline_step": 0.2}

SHEET_ENTRIES = 2


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
        "lab_need": rng.choice(needs.lab).topic,
        "intake_need": rng.choice(needs.intake).topic,
        "exam_need": rng.choice(needs.exam).topic,
        "step": step_name(rng.choice(case.condition.guideline_steps)),
    }


def step_name(step: GuidelineStep) -> str:
    """A step's id in words: "swallow assessment"."""
    return step.id.replace("_", " ")


def _entries(case: CaseFile, needs: list[Need]) -> dict[str, str]:
    """The entry that answers each need, by id."""
    threads, rng = case.words.threads, case.rng("entries")
    fields = {
        **case.fields,
        "meal": rng.choice(threads.meals),
        "tetanus": rng.choice(threads.tetanus),
        "kin": rng.choice(threads.kin),
    }
    return {need.id: fill(need.entry, fields) for need in needs}


def _need_line(case: CaseFile, need: Need) -> Slot:
    purpose = fill(need.purpose, case.fields)
    speaker = case.speaker("need", (("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident")))
    return case.slot("need", case.words.threads.need_line, speaker, purpose=purpose)


def _sheet_pair(
    case: CaseFile, scene: Scene, needs: list[Need], rng: random.Random, *, slot_id: str, kind: str, label: str, claim: str
) -> Pair:
    """A sheet with the needed entry and another one; in the perturbed twin a third one stands in its place."""
    entries = _entries(case, needs)
    needed, other, instead = rng.sample(needs, 3)
    shown = [needed, other]
    rng.shuffle(shown)
    template = pick(case.words.threads.sheet, case.edition, rng)
    fields = {f"f{i}": entries[need.id] for i, need in enumerate(shown)}
    sheet = Slot(slot_id, "Sheet", "record", template, fields)
    scene = scene.swap(sheet) if slot_id in scene else place(case, scene, rng, sheet)
    scene = place(case, scene, rng, _need_line(case, needed))
    determinable = not is_visible(scene, entries[needed.id], outside=slot_id)
    return Pair(
        kind, label, scene, slot_id, f"f{shown.index(needed)}", entries[instead.id], determinable,
        claims={claim: needed.topic},
    )  # fmt: skip


def _intake(case: CaseFile, rng: random.Random) -> Pair | None:
    # The sheet takes the place of the allergy turn: allergies are one of its entries.
    return _sheet_pair(
        case, case.core, case.words.threads.needs.intake, rng,
        slot_id="allergy", kind="omission/intake", label="flag_intake", claim="intake_need",
    )  # fmt: skip


def _exam(case: CaseFile, rng: random.Random) -> Pair | None:
    needs = [n for n in case.words.threads.needs.exam if not is_visible(case.core, n.avoid)]
    if len(needs) < SHEET_ENTRIES + 1:
        return None
    return _sheet_pair(
        case, case.core, needs, rng, slot_id="sheet", kind="omission/exam", label="flag_exam", claim="exam_need"
    )


def _lab(case: CaseFile, rng: random.Random) -> Pair | None:
    """One row of the table is the needed result, or another result that nobody needs."""
    replaced = rng.choice([a for a in case.labs if a in case.condition.normal_labs])
    kept = {a for a in case.labs if a != replaced}
    needs = [
        need
        for need in case.words.threads.needs.lab
        if need.id not in kept and need.id not in case.condition.labs and not kept & set(need.answered_by)
    ]
    if len(needs) < 3:
        return None
    needed, instead = rng.sample(needs, 2)
    rows = _rows(case, needs, rng)
    field = f"row{case.labs.index(replaced)}"
    scene = place(case, case.core.put("laboratory", **{field: rows[needed.id]}), rng, _need_line(case, needed))
    return Pair(
        "omission/lab", "flag_lab", scene, "laboratory", field, rows[instead.id],
        not is_visible(scene, rows[needed.id], outside="laboratory"), claims={"lab_need": needed.topic},
    )  # fmt: skip


def _rows(case: CaseFile, needs: list[Need], rng: random.Random) -> Mapping[str, str]:
    """A normal row for every needed analyte."""
    simulator = Simulator(case.bank, case.words, case.foils)
    return {need.id: simulator.lab(need.id, case.condition, case.person, 0.5, rng).text for need in needs}


def _guideline_step(case: CaseFile, rng: random.Random) -> Pair | None:
    """Two steps are shared out; the tick list holds ours, or only the one that was for the ward team."""
    steps = [step for step in case.condition.guideline_steps if step.essential]
    if len(steps) < 2:
        return None
    ours, theirs = rng.sample(steps, 2)
    threads = case.words.threads
    speaker = case.speaker("plan", (("Attending", "attending"), ("Consultant", "consultant")))
    plan = case.slot("plan", threads.plan_line, speaker, ours=ours.text, theirs=theirs.text)
    done = case.slot("done", threads.done_line, ("Nurse", "nurse"), done=ours.text)
    scene = place(case, case.core, rng, plan, done)
    return Pair(
        "omission/guideline_step", "flag_guideline", scene, "done", "done", theirs.text, True,
        claims={"step": step_name(ours)},
    )  # fmt: skip
