"""Consistency check.

Abstract: two statements of the scene contradict each other, and the agent, asked for something else, says which.
Group: proactive. Source: the paper's first figure; the kinds beyond examination and X-ray are ours.
Labels: no_flag, flag_exam_imaging, flag_history_medication, flag_speakers, flag_time (in recorded cases: no_flag,
    flag_speakers, flag_time).
Metric: macro-F1.
Oracle: the two statements are both visible, and only one of their four combinations of values is chosen as wrong in
    each half of the pairs: finding and normal report are both found in clean scenes (together) and in perturbed ones.
    In recorded cases both statements name the same set of observations or the same sample; a sample is not taken before
    the patient arrives.
Sample: "Chest auscultation: coarse crackles at the left base." ... "Chest X-ray: clear lungs on both sides." and
    "Please send the bed manager a short message." -> "May I interrupt: the chest X-ray and the chest auscultation
    findings contradict each other."
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.spoken import VITAL_PHRASES, clock, number
from bsft.bench.tasks.alerting import RecordedProblems, first_possible, shuffled_kinds
from bsft.bench.wordings import Attribute
from bsft.records.schema import TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase

SPEC = TaskSpec(
    name="consistency_check",
    group="proactive",
    metric="macro_f1",
    labels=[NO_FLAG, "flag_exam_imaging", "flag_history_medication", "flag_speakers", "flag_time"],
    source="paper",
)

KINDS = {
    "consistency/exam_imaging": 0.4, "consistency/side": 0.3, "consistency/history_medication": 0.2,
    "consistency/speakers": 0.2, "consistency/sequence": 0.1, "consistency/clock": 0.1,
}  # fmt: skip

BYSTANDER_SHARE = 0.5
"""Share of scenes that also hold the statements of another kind, which are consistent."""

STEM_LETTERS = 5
COMMON_STEMS = frozenset({
    "with", "witho", "over", "from", "both", "left", "right", "norma", "that", "this", "into", "which", "upon", "only",
    "than", "more", "hours", "hour", "days", "weeks", "week", "side", "sides", "area", "after", "when", "have", "been",
    "sever", "mild", "breat", "chest", "abdom", "clear", "lower", "upper", "small", "large", "sharp", "short", "throu",
    "every", "each", "incre", "littl", "full", "deep", "below", "above", "ribs", "loud", "aroun", "betwe", "well",
    "down", "half", "like", "rest", "even", "flat", "heavy", "becom", "follo",
})  # fmt: skip
"""Beginnings that join no sign to a symptom."""

MAX_OTHER_SIDE_LINES = 2
"""Most lines in which the nurse names the unaffected side."""

MIN_CHANGE, MAX_CHANGE = 0.15, 0.3
"""In recorded cases, the second speaker's value differs by this part of the first one's: too much for rounding, and
still plausible."""

SEQUENCE_TOPIC = "the order of the symptoms"
CLOCK_TOPIC = "the times of arrival and blood sample"


def simulated_problem(case: SimulatedCase, rng: random.Random) -> Problem:
    """A problem of the first kind, in random order, that this case allows."""
    problem = first_possible(
        shuffled_kinds(case, KINDS, rng), lambda kind: MAKERS[kind](case, _with_accounts(case, kind, rng), rng)
    )
    return replace(problem, other_claims=_other_claims(case))


def _other_claims(case: SimulatedCase) -> dict[str, str]:
    """What the claims of this task name beyond the base scene."""
    return {"topic": _attribute(case).topic, "time_topic": SEQUENCE_TOPIC}


def _attribute(case: SimulatedCase) -> Attribute:
    age = case.person.age_years
    fitting = [a for a in case.words.threads.attributes if a.ages.low <= age <= a.ages.high]
    return case.rng("attribute").choice(fitting)


def _with_accounts(case: SimulatedCase, kind: str, rng: random.Random) -> Scene:
    """The base scene with the statements that the kind needs, and sometimes with those of another kind."""
    threads = {
        "consistency/history_medication": _denial,
        "consistency/speakers": _accounts,
        "consistency/sequence": _order_of_two,
        "consistency/clock": _arrival,
    }
    bystanders = [other for other in threads if other != kind and other != "consistency/clock"]
    chosen = [kind] if kind in threads else []
    if rng.random() < BYSTANDER_SHARE:
        chosen.append(rng.choice(bystanders))
    scene = case.base_scene
    for name in chosen:
        scene = case.place(scene, rng, *threads[name](case, rng))
    return scene


def _denial(case: SimulatedCase, rng: random.Random) -> list[Slot]:
    """An illness that the patient never had."""
    line = case.words.threads.denial_line
    return [case.slot("denial", line, ("Resident", "resident"), y=case.text("denied:history"))]


def _accounts(case: SimulatedCase, rng: random.Random) -> list[Slot]:
    """Two people say the same about one habit."""
    threads = case.words.threads
    first, second = rng.choice(_attribute(case).values)
    return [
        case.slot("account_first", threads.account_first, ("Nurse", "nurse"), clause=first),
        case.slot("account_second", threads.account_second, case.relative, clause=second),
    ]


def _order_of_two(case: SimulatedCase, rng: random.Random) -> list[Slot]:
    """A relative remembers which of two symptoms came first."""
    early, late = _two_events(case)
    sequence = f"{early} came before {late}" if rng.random() < 0.5 else f"{late} came after {early}"
    return [case.slot("sequence", case.words.threads.sequence_line, case.relative, sequence=sequence)]


def _arrival(case: SimulatedCase, rng: random.Random) -> list[Slot]:
    """The time of arrival, which is before that of the blood sample."""
    line = case.words.threads.arrival_line
    return [case.slot("arrival", line, ("Nurse", "nurse"), arrival=clock(case.clock_minutes[0]))]


def _two_events(case: SimulatedCase) -> tuple[str, str]:
    """Two successive events of the story, in their true order."""
    i = case.rng("two events").randrange(len(case.told_events) - 1)
    return case.text(case.told_events[i]), case.text(case.told_events[i + 1])


def _exam_imaging(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    """Finding with normal report, or normal examination with a pathological report.

    Half of the clean scenes hold both findings and half hold neither; nothing else that is said may speak of them.
    The order is left out: it may be what only the findings call for.
    """
    study = case.imaging
    if study.confirms_exam is None or _told_otherwise(case):
        raise LeftOut("no finding that imaging confirms, or the story speaks of it")
    place_of = {
        entry.site: i for i in range(2) for entry in case.exams if scene["examination"].fields[f"s{i}"] == entry.site
    }
    confirmed, second = case.exams
    exam_field = f"f{place_of[confirmed.site]}"
    normal_exam = case.text(f"exam_normal:{study.confirms_exam}")
    normal_report = case.text(f"imaging_normal:{study.id}")
    clean = scene.without("order")
    both_normal = rng.random() < 0.5
    if both_normal:
        normal = {exam_field: normal_exam, f"f{place_of[second.site]}": case.text(f"exam_normal:{second.id}")}
        clean = clean.put("examination", **normal).put("imaging", finding=normal_report)
    if rng.random() < 0.5:
        after = case.text(f"imaging:{study.id}") if both_normal else normal_report
        slot, field, partner = "imaging", "finding", "examination"
    else:
        after = case.text(f"exam:{study.confirms_exam}") if both_normal else normal_exam
        slot, field, partner = "examination", exam_field, "imaging"
    return Problem("consistency/exam_imaging", "flag_exam_imaging", clean, slot, field, after, partner=partner)


def _told_otherwise(case: SimulatedCase) -> bool:
    """Whether complaint or story speak of what the examinations and the study find or do not find."""
    told = [case.text("complaint"), *(case.text(event) for event in case.told_events)]
    seen = [f"{kind}:{entry.id}" for entry in case.exams for kind in ("exam", "exam_normal")]
    seen += [f"{kind}:{case.imaging.id}" for kind in ("imaging", "imaging_normal")]
    named = [case.imaging.study, *(entry.site for entry in case.exams)]
    return bool(_stems(" ".join(told)) & _stems(" ".join([*named, *(case.text(fact) for fact in seen)])))


def _stems(text: str) -> set[str]:
    """Beginnings of the longer words: "swollen" and "swelling" share theirs."""
    return {word[:STEM_LETTERS] for word in re.findall(r"[a-z]{4,}", text.lower())} - COMMON_STEMS


def _side(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    """The imaging names the other side than the examination."""
    report = scene["imaging"].fields["finding"]
    examined = [scene["examination"].fields[f"f{i}"] for i in range(2)]
    after = _other_side_in(report, case.side, case.other_side)
    if after == report or not any(_other_side_in(text, case.side, "") != text for text in examined):
        raise LeftOut("no side in imaging and examination")
    named = _name_other_side(case, scene, rng, flipped=report)
    return Problem("consistency/side", "flag_exam_imaging", named, "imaging", "finding", after, partner="examination")


def _other_side_in(text: str, side: str, other_side: str) -> str:
    """The text with one side in place of the other; "right" is no part of "bright"."""
    return re.sub(rf"\b{side}\b", other_side, text)


def _name_other_side(case: SimulatedCase, scene: Scene, rng: random.Random, *, flipped: str) -> Scene:
    """Lets the nurse name the unaffected side until flipping the mentions in `flipped` exchanges the counts.

    Word counts then hold no information on the flip.

    Raises:
        LeftOut: that would take too many lines, or fewer mentions.
    """
    words = re.findall(r"\b(?:left|right)\b", scene.text.lower())
    turned = len(re.findall(rf"\b{case.side}\b", flipped))
    missing = words.count(case.side) - turned - words.count(case.other_side)
    lines = list(case.allowed(case.words.threads.other_side_lines))
    rng.shuffle(lines)
    if missing == 0:
        return scene
    if not 0 < missing <= min(MAX_OTHER_SIDE_LINES, len(lines)):
        raise LeftOut("the sides cannot be mentioned equally often")
    template = " ".join(lines[:missing])
    return case.place(scene, rng, Slot("other side", "Nurse", "nurse", template, case.fields))


def _history_medication(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    after = case.text("denied:medication")
    return Problem(
        "consistency/history_medication", "flag_history_medication", scene, "background", "mx", after, partner="denial"
    )


def _speakers(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    attribute = _attribute(case)
    said = next(i for i in range(2) if attribute.values[i][1] == scene["account_second"].fields["clause"])
    after = attribute.values[1 - said][1]
    return Problem("consistency/speakers", "flag_speakers", scene, "account_second", "clause", after)


def _sequence(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    early, late = _two_events(case)
    true = scene["sequence"].fields["sequence"]
    after = f"{late} came before {early}" if "came before" in true else f"{early} came after {late}"
    return Problem("consistency/sequence", "flag_time", scene, "sequence", "sequence", after)


def _clock(case: SimulatedCase, scene: Scene, rng: random.Random) -> Problem:
    late = clock(case.clock_minutes[1] + rng.randrange(35, 120, 5))
    return Problem(
        "consistency/clock", "flag_time", scene, "arrival", "arrival", late, claims={"time_topic": CLOCK_TOPIC}
    )


MAKERS: Mapping[str, Callable[[SimulatedCase, Scene, random.Random], Problem]] = {
    "consistency/exam_imaging": _exam_imaging,
    "consistency/side": _side,
    "consistency/history_medication": _history_medication,
    "consistency/speakers": _speakers,
    "consistency/sequence": _sequence,
    "consistency/clock": _clock,
}
"""Kind -> what makes its problem in a simulated case."""


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
    return Problem(
        "consistency/speakers", "flag_speakers", scene, "repeat", "value", other, claims={"topic": f"the {topic}"}
    )


def _recorded_time(case: RecordedCase) -> Problem:
    """The patient arrives after the blood sample."""
    rng = case.rng("time")
    scene = case.base_scene
    if "laboratory" not in scene:
        raise LeftOut("no laboratory results")
    arrival, late = (clock(case.clock_minutes + sign * rng.randrange(35, 120, 5)) for sign in (-1, 1))
    slot = case.slot("arrival", case.words.arrival, ("Nurse", "nurse"), arrival=arrival)
    return Problem("consistency/clock", "flag_time", case.place(scene, rng, slot), "arrival", "arrival", late)


RECORDED_PROBLEMS: RecordedProblems = {"flag_speakers": _recorded_speakers, "flag_time": _recorded_time}
