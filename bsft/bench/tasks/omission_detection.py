"""Omission detection in group decision-making.

Abstract: somebody has said what is needed, and the sheet, table or tick list that should hold it holds something else.
Group: proactive. Source: the paper's first figure; the kinds are ours.
Labels: no_flag, flag_lab, flag_imaging, flag_intake, flag_exam, flag_guideline (in recorded cases: no_flag, flag_vital,
    flag_lab).
Metric: macro-F1.
Oracle: the needed entry is not visible anywhere in the scene. Need and entry use different words, all needs are drawn
    alike, and an entry that is missing is replaced by another one, so that every entry is as common with a need as
    without. In recorded cases the other entry is one of the same record, and nothing else speaks of the needed one.
Sample: "Before we move on: the heparin goes by body size, so that must be on the sheet." ... "Intake sheet: Last meal:
    at 07:15; Foot pulses: palpable." and "I am off to theatre. Please put a title on the handover entry." -> "One thing
    first: the requested entry on body size is missing."
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bsft.bench.bank.schema import GuidelineStep
from bsft.bench.left_out import LeftOut
from bsft.bench.oracle import is_visible
from bsft.bench.problem import Problem
from bsft.bench.recorded.base_scene import laboratory, observations
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Slot, Speaker, fill
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.simulate import lab_fact
from bsft.bench.tasks.alerting import CLINICIANS, RecordedProblems, first_possible, shuffled_kinds
from bsft.bench.wordings import Need
from bsft.records.schema import TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

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

RECORDERS: tuple[Speaker, ...] = (("Sheet", "record"), ("Nurse", "nurse"), ("Resident", "resident"))

BYSTANDER_SHARE = 0.5
"""Share of scenes that also announce a need that the sheet meets."""


def simulated_problem(case: SimulatedCase, rng: random.Random) -> Problem:
    """A problem of the first kind, in random order, that this case allows."""
    problem = first_possible(shuffled_kinds(case, KINDS, rng), lambda kind: MAKERS[kind](case, rng))
    return replace(problem, other_claims=_other_claims(case))


def _other_claims(case: SimulatedCase) -> dict[str, str]:
    """What the claims of this task name: one possible need of each sort."""
    rng = case.rng("needs")
    needs = case.words.threads.needs
    return {
        "lab_need": rng.choice(_lab_needs(case, case.shown_labs) or needs.lab).topic,
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


def _steps(case: SimulatedCase) -> list[GuidelineStep]:
    return [step for step in case.condition.guideline_steps if step.essential]


def _fitting(case: SimulatedCase, needs: list[Need]) -> list[Need]:
    """Needs that suit the patient's age and that the base scene does not meet already."""
    return [
        need
        for need in needs
        if need.min_age_years <= case.person.age_years <= need.max_age_years
        and not (need.avoid and is_visible(case.base_scene, need.avoid))
    ]


def _entry(case: SimulatedCase, need: Need) -> str:
    """The sheet's entry that meets a need."""
    threads, rng = case.words.threads, case.rng("entries")
    chosen = {"meal": rng.choice(threads.meals), "tetanus": rng.choice(threads.tetanus), "kin": rng.choice(threads.kin)}
    return fill(need.entry, {**case.fields, **chosen})


def _need_line(case: SimulatedCase, need: Need, name: str = "need") -> Slot:
    purpose = fill(need.purpose, case.fields)
    speaker = case.speaker(name, CLINICIANS)
    return case.slot(name, case.words.threads.need_line, speaker, purpose=purpose)


def _allergy(case: SimulatedCase, rng: random.Random) -> Problem:
    history, allergies = _intake_needs(case)
    return _missing_on_sheet(case, rng, "omission/allergy", (allergies[0], rng.choice(history)))


def _history(case: SimulatedCase, rng: random.Random) -> Problem:
    history, allergies = _intake_needs(case)
    needed, instead = rng.sample(history, 2)
    return _missing_on_sheet(
        case, rng, "omission/history", (needed, allergies[0] if rng.random() < ALLERGY_INSTEAD_SHARE else instead)
    )


def _intake_needs(case: SimulatedCase) -> tuple[list[Need], list[Need]]:
    """Needs of the intake sheet that concern the history, and the one that concerns allergies."""
    needs = _fitting(case, case.words.threads.needs.intake)
    return [need for need in needs if need.id != "allergy"], [need for need in needs if need.id == "allergy"]


def _exam(case: SimulatedCase, rng: random.Random) -> Problem:
    needed, instead = rng.sample(_fitting(case, case.words.threads.needs.exam), 2)
    return _missing_on_sheet(case, rng, "omission/exam", (needed, instead))


def _missing_on_sheet(case: SimulatedCase, rng: random.Random, kind: str, needs: tuple[Need, Need]) -> Problem:
    """A sheet with one intake entry and one check, in place of the allergy turn, since allergies are an entry.

    In the perturbed twin the needed entry, the first of `needs`, has given way to the second.
    """
    all_needs = case.words.threads.needs
    sort, other_sort = ("exam", "intake") if kind == "omission/exam" else ("intake", "exam")
    other = rng.choice(_fitting(case, all_needs.intake if other_sort == "intake" else all_needs.exam))
    template = case.pick(case.words.threads.sheet, rng)
    sheet = Slot("allergy", *rng.choice(RECORDERS), template, {})
    return _missing_entry(case, rng, kind, sort, sheet, (*needs, other), {f"{other_sort}_need": other.topic})


def _imaging(case: SimulatedCase, rng: random.Random) -> Problem:
    """A list of older images with two entries."""
    needs = _fitting(case, case.words.threads.needs.imaging)
    if len(needs) < 3:
        raise LeftOut("fewer than three older images")
    archive = Slot("archive", *rng.choice(RECORDERS[1:]), case.pick(case.words.threads.archive, rng), {})
    needed, instead, other = rng.sample(needs, 3)
    return _missing_entry(case, rng, "omission/imaging", "image", archive, (needed, instead, other), {})


def _missing_entry(
    case: SimulatedCase, rng: random.Random, kind: str, sort: str, record: Slot, needs: tuple[Need, Need, Need],
    claims: Mapping[str, str],
) -> Problem:  # fmt: skip
    """A record of two entries: the needed one or the one in its place, and another."""
    needed, instead, other = needs
    entries = [_entry(case, need) for need in (needed, other)]
    places = rng.sample((0, 1), 2)
    record = replace(record, fields={f"f{place}": entry for place, entry in zip(places, entries, strict=True)})
    scene = case.base_scene.swap(record) if record.id in case.base_scene else case.place(case.base_scene, rng, record)
    if rng.random() < BYSTANDER_SHARE:
        scene = case.place(scene, rng, _need_line(case, other, "other need"))
    scene = case.place(scene, rng, _need_line(case, needed))
    label = "flag_imaging" if sort == "image" else f"flag_{sort}"
    return Problem(
        kind, label, scene, record.id, f"f{places[0]}", _entry(case, instead),
        not is_visible(scene, entries[0], outside=record.id), claims={**claims, f"{sort}_need": needed.topic},
        partner="need",
    )  # fmt: skip


def _lab_needs(case: SimulatedCase, kept: Iterable[str]) -> list[Need]:
    """Laboratory needs that the rows `kept` do not meet and that have a normal result in this condition."""
    shown = set(kept)
    return [
        need
        for need in case.words.threads.needs.lab
        if need.id not in shown and need.id not in case.condition.labs and not shown & set(need.answered_by)
    ]


def _lab(case: SimulatedCase, rng: random.Random) -> Problem:
    """One row of the table is the needed result, or another result that nobody needs."""
    replaced = rng.choice([a for a in case.shown_labs if a in case.condition.normal_labs])
    needs = _lab_needs(case, [a for a in case.shown_labs if a != replaced])
    if len(needs) < 2:
        raise LeftOut("fewer than two results that could be needed")
    needed, instead = rng.sample(needs, 2)
    rows = [lab_fact(need.id, case.condition, case.person, 0.5, rng).text for need in (needed, instead)]
    field = case.row_of(replaced)
    scene = case.place(case.base_scene.put("laboratory", **{field: rows[0]}), rng, _need_line(case, needed))
    determinable = not is_visible(scene, rows[0], outside="laboratory")
    claims = {"lab_need": needed.topic}
    return Problem(
        "omission/lab", "flag_lab", scene, "laboratory", field, rows[1], determinable, claims=claims, partner="need"
    )


def _guideline_step(case: SimulatedCase, rng: random.Random) -> Problem:
    """Two steps are shared out; the tick list holds ours, or only the one that was for the ward team."""
    steps = _steps(case)
    if len(steps) < 2:
        raise LeftOut("fewer than two essential steps")
    ours, theirs = rng.sample(steps, 2)
    threads = case.words.threads
    plan = case.slot("plan", threads.plan_line, case.speaker("plan", CLINICIANS), ours=ours.text, theirs=theirs.text)
    done = case.slot("done", threads.done_line, case.speaker("done", CLINICIANS), done=ours.text)
    scene = case.place(case.base_scene, rng, plan, done)
    claims = {"step": step_name(ours)}
    return Problem("omission/guideline_step", "flag_guideline", scene, "done", "done", theirs.text, claims=claims)


MAKERS: Mapping[str, Callable[[SimulatedCase, random.Random], Problem]] = {
    "omission/allergy": _allergy,
    "omission/history": _history,
    "omission/exam": _exam,
    "omission/lab": _lab,
    "omission/imaging": _imaging,
    "omission/guideline_step": _guideline_step,
}
"""Kind -> what makes its problem in a simulated case."""


def _recorded_vital(case: RecordedCase) -> Problem:
    """One of two vital signs is read out: the needed one, or the other."""
    rng = case.rng("omitted vital")
    needed = [v for v in case.quiet_vitals if v in case.words.vital_needs]
    if not needed or len(case.shown_vitals) < 2:
        raise LeftOut("no second vital sign, or none that nothing else in the record speaks of")
    chosen = rng.choice(needed)
    instead = rng.choice([v for v in case.shown_vitals if v != chosen])
    need = case.words.vital_needs[chosen]
    (shown,) = observations(case, without=instead)
    scene = _announce(case, case.base_scene.swap(shown), need.purpose, rng)
    claims = {"vital_need": fill(need.topic, case.fields)}
    after = case.vital_text(instead)
    return Problem("omission/vital", "flag_vital", scene, "observations", chosen, after, claims=claims)


def _recorded_result(case: RecordedCase) -> Problem:
    """One of two results stands in the table: the needed one, or the other."""
    rng = case.rng("omitted lab")
    results = {result.analyte_id: result for result in case.results}
    quiet = {result.analyte_id for result in case.quiet_results}
    usable = [
        analyte_id
        for analyte_id, need in case.words.lab_needs.items()
        if analyte_id in quiet and not any(other in results or case.speaks_of(other) for other in need.answered_by)
    ]
    if not usable or len(results) < 2:
        raise LeftOut("no second result, or none that could be needed and that nothing else in the record speaks of")
    chosen = rng.choice(usable)
    need = case.words.lab_needs[chosen]
    instead = rng.choice([analyte_id for analyte_id in results if analyte_id != chosen])
    (shown,) = laboratory(case, without=instead)
    scene = _announce(case, case.base_scene.swap(shown), need.purpose, rng)
    after = results[instead].row()
    return Problem("omission/lab", "flag_lab", scene, "laboratory", chosen, after, claims={"lab_need": need.topic})


def _announce(case: RecordedCase, scene: Scene, purpose: str, rng: random.Random) -> Scene:
    slot = case.slot("need", case.words.need, ("Attending", "attending"), purpose=fill(purpose, case.fields))
    return case.place(scene, rng, slot)


RECORDED_PROBLEMS: RecordedProblems = {"flag_vital": _recorded_vital, "flag_lab": _recorded_result}
