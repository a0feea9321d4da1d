"""Omission detection in group decision-making.

Abstract: the team is about to act, and a step that has to come first was not taken: no pregnancy test before
    methotrexate, no potassium before insulin, no imaging before a puncture, no cultures before antibiotics.
Group: proactive. Source: the paper's first figure; the kinds are ours.
Labels: no_flag, flag_missing_test, flag_missing_imaging, flag_missing_treatment (in recorded cases: no_flag,
    flag_vital, flag_lab).
Metric: macro-F1.
Oracle: `problems.yaml`: what has to precede which act, clauses that say that it was done, and clauses of the same form
    about something that does not settle it. In recorded cases a needed entry gives way to another one of the record.
Sample: "The urine dipstick this morning was clear." ... "Let's start methotrexate 15 mg once weekly today." and "What
    shall I tell the family?" -> "... One concern: methotrexate is to start, and no pregnancy test was done ..."
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem, draw_edit
from bsft.bench.recorded.base_scene import laboratory, observations
from bsft.bench.scene import Scene, fill
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.conversation import ATTENDING, CONSULTANT, NURSE, RESIDENT
from bsft.bench.tasks.alerting import Kind, RecordedProblems, proactive_spec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase


def _problem(label: str, case: SimulatedCase, rng: random.Random) -> Problem:
    """Somebody says what was done, and an act is ordered; in the perturbed twin something else was done."""
    entries = [
        step
        for step in case.words.problems.steps
        if step.label == label
        and case.suits(step.applies)
        and not set(step.answered_by) & set(case.shown_labs)
        and not ("by mouth" in step.order and case.takes_no_tablets)
    ]
    if not entries:
        raise LeftOut(f"no act with {label} suits the patient")
    step = rng.choice(entries)
    words = case.words.situations
    done, instead = draw_edit(zip(step.done, step.instead, strict=False), rng)
    status = case.slot("status", words.step_status, rng.choice((NURSE, RESIDENT)), status=done)
    order = case.slot("act", words.step_order, rng.choice((ATTENDING, CONSULTANT)), act_order=step.order)
    scene = case.place(case.scene("background"), rng, *rng.sample([status, order], 2))
    claim = {"act": step.act, "step": step.step, "harm": step.harm, "action": step.action}
    kind = f"omission/{label.removeprefix('flag_missing_')}"
    return Problem(kind, label, scene, "status", "status", instead, claim, partner="act")


KINDS = tuple(
    Kind(f"omission/{what}", f"flag_missing_{what}", "core", partial(_problem, f"flag_missing_{what}"), weight,
         is_listed=True)
    for what, weight in (("test", 1.0), ("imaging", 1.6), ("treatment", 5.0))
)  # fmt: skip

SPEC = proactive_spec("omission_detection", KINDS, "paper")


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
    claim = {"vital_need": fill(need.topic, case.fields)}
    after = case.vital_text(instead)
    return Problem("omission/vital", "flag_vital", scene, "observations", chosen, after, claim)


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
    return Problem("omission/lab", "flag_lab", scene, "laboratory", chosen, after, {"lab_need": need.topic})


def _announce(case: RecordedCase, scene: Scene, purpose: str, rng: random.Random) -> Scene:
    slot = case.slot("need", case.words.need, ("Attending", "attending"), purpose=fill(purpose, case.fields))
    return case.place(scene, rng, slot)


RECORDED_PROBLEMS: RecordedProblems = {"flag_vital": _recorded_vital, "flag_lab": _recorded_result}
