"""Consistency check.

Abstract: two statements of the scene contradict each other: the side that hurts and the side on the form, the patient's
    name and that on a document, a home medicine and an illness that was ruled out, two times that matter.
Group: proactive. Source: the paper's first figure; the kinds are ours.
Labels: no_flag, flag_side, flag_wrong_patient, flag_history_medicine, flag_time (in recorded cases: no_flag,
    flag_speakers, flag_time).
Metric: macro-F1.
Oracle: the two statements are both visible, and equal or compatible in the clean twin. In recorded cases both
    statements name the same set of observations or the same sample; a sample is not taken before the patient arrives.
Sample: "It's the left knee that hurts." ... "I've sent the form for the right knee." -> "... One concern: ..."
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem, draw_edit
from bsft.bench.simulated.allergies import speak_against
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.claims import name_and_age, other_patient
from bsft.bench.simulated.conversation import ATTENDING, CLINICIANS, NURSE, PHARMACIST, RESIDENT
from bsft.bench.spoken import VITAL_PHRASES, clock, number
from bsft.bench.tasks.alerting import Kind, RecordedProblems, proactive_spec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

MIN_CHANGE, MAX_CHANGE = 0.15, 0.3
"""In recorded cases, the second speaker's value differs by this part of the first one's: too much for rounding, and
still plausible."""
OTHER = {"left": "right", "right": "left"}
NIGHTS = ("ten last night", "eleven last night", "nine last night", "midnight", "half past ten last night")


def _side(case: SimulatedCase, rng: random.Random) -> Problem:
    """A side that somebody names, and the side on a paper."""
    data = case.words.problems
    sites = [site for site in data.sites if case.suits(site.applies)]
    if not sites:
        raise LeftOut("no part of the body that has a side and nothing to do with the case")
    site = rng.choice(sites)
    form = rng.choice([form for form in data.forms.side if form.id in site.forms])
    side = rng.choice(("left", "right"))
    said = case.sentence("side said", site.said, rng.choice((NURSE, RESIDENT, ATTENDING)), rng, side=side)
    paper = case.sentence("side written", form.text, rng.choice((NURSE, RESIDENT)), rng, side=side, task=site.task)
    scene = case.place(case.scene("story"), rng, *rng.sample([said, paper], 2))
    claim = {"said": side, "written": OTHER[side], "what": form.what}
    return Problem(
        "consistency/side", "flag_side", scene, "side written", "side", OTHER[side], claim, partner="side said"
    )


def _wrong_patient(case: SimulatedCase, rng: random.Random) -> Problem:
    """A paper that bears a name: the patient's, or another one with another age."""
    form = rng.choice(case.words.problems.forms.identity)
    name, _, age = name_and_age(case).partition(", ")
    paper = case.sentence("label", form.text, rng.choice(CLINICIANS), rng, name=name, age=age)
    scene = case.place(case.scene("story"), rng, paper)
    other, _, _ = other_patient(case, rng).partition(", ")
    claim = {"said": name_and_age(case), "written": f"{other}, {age}", "what": form.what}
    return Problem("consistency/wrong_patient", "flag_wrong_patient", scene, "label", "name", other, claim)


def _history_medicine(case: SimulatedCase, rng: random.Random) -> Problem:
    """A home medicine that has no other reason than an illness that was ruled out."""
    illness, after = case.text("denied:history"), case.text("denied:medication")
    denial = case.slot("denial", case.words.situations.denial, rng.choice((RESIDENT, PHARMACIST)), y=illness)
    scene = case.place(case.scene("background"), rng, denial)
    claim = {"drug": after, "illness": illness}
    return Problem(
        "consistency/history_medicine", "flag_history_medicine", scene, "background", "mx", after, claim,
        partner="denial",
    )  # fmt: skip


def _time(case: SimulatedCase, rng: random.Random) -> Problem:
    """Two speakers on a time that an act depends on."""
    usable = [
        times
        for times in case.words.situations.times
        if case.suits(times.applies) and not speak_against(case.bank, case.allergens, times.drug)
    ]
    if not usable:
        raise LeftOut("no time that matters to the patient")
    times = rng.choice(usable)
    night = rng.choice(NIGHTS)
    first = case.slot("time", times.first, rng.choice((RESIDENT, ATTENDING)), night=night)
    named = dict(times.wrong)
    clean, after = draw_edit(zip(times.clean, named, strict=True), rng)
    second = case.sentence("other time", [times.second], NURSE, rng, eaten=clean)
    scene = case.place(case.scene("story"), rng, *rng.sample([first, second], 2))
    said = rng.choice(times.said).format(night=night)
    claim = {"said": said, "written": named[after], "matter": times.matter, "harm": times.harm}
    return Problem("consistency/time", "flag_time", scene, "other time", "eaten", after, claim, partner="time")


KINDS = (
    Kind("consistency/side", "flag_side", "core", _side),
    Kind("consistency/wrong_patient", "flag_wrong_patient", "core", _wrong_patient),
    Kind("consistency/history_medicine", "flag_history_medicine", "core", _history_medicine),
    Kind("consistency/time", "flag_time", "numeric_inference", _time, 1.3),
)

SPEC = proactive_spec("consistency_check", KINDS, "paper")


def _recorded_speakers(case: RecordedCase) -> Problem:
    """The resident repeats a reading or result, rightly or wrongly."""
    rng = case.rng("speakers")
    names = [v for v in case.shown_vitals if v != "temperature_c"]
    named = [*names, *(result.analyte_id for result in case.results if result.value > 0)]
    if not named:
        raise LeftOut("no reading or result that could be repeated")
    chosen = rng.choice(named)
    factor = 1 + rng.choice((-1, 1)) * rng.uniform(MIN_CHANGE, MAX_CHANGE)
    if chosen in names:
        factor = 1 - abs(factor - 1) if chosen == "oxygen_saturation_percent" else factor
        said, other = case.vital_text(chosen), case.vital_text(chosen, case.vital(chosen) * factor)
        source, topic, wordings = "observations", VITAL_PHRASES[chosen][0], case.words.repeat_vital
    else:
        result = next(result for result in case.results if result.analyte_id == chosen)
        said = f"{result.name} {result.measured()}"
        other = f"{result.name} {result.measured(number(result.value * factor, result.decimals))}"
        source, topic, wordings = "laboratory", result.spoken_name, case.words.repeat_result
    if said == other:
        raise LeftOut("no reading or result that could be repeated with another value")
    repeat = case.slot("repeat", wordings, ("Resident", "resident"), value=said)
    scene = case.place(case.base_scene, rng, repeat, after=source)
    return Problem("consistency/speakers", "flag_speakers", scene, "repeat", "value", other, {"topic": f"the {topic}"})


def _recorded_time(case: RecordedCase) -> Problem:
    """The patient arrives after the blood sample."""
    rng = case.rng("time")
    scene = case.base_scene
    if "laboratory" not in scene:
        raise LeftOut("no laboratory results")
    arrival, late = (clock(case.clock_minutes + sign * rng.randrange(35, 120, 5)) for sign in (-1, 1))
    slot = case.slot("arrival", case.words.arrival, ("Nurse", "nurse"), arrival=arrival)
    return Problem("consistency/clock", "flag_time", case.place(scene, rng, slot), "arrival", "arrival", late, {})


RECORDED_PROBLEMS: RecordedProblems = {"flag_speakers": _recorded_speakers, "flag_time": _recorded_time}
