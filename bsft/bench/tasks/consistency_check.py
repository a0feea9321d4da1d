"""Consistency check (proactive, from the paper's first figure; the kinds beyond examination and X-ray are ours).

Two statements of the scene contradict each other, and the agent, asked for something else, says which.

Sample: "Chest auscultation: coarse crackles at the left base." ... "Chest X-ray: clear lungs on both sides." ... query
"Please send the bed manager a short message." -> "May I interrupt: the chest X-ray and the chest auscultation findings
contradict each other."

Labels: no_flag, flag_exam_imaging, flag_history_medication, flag_speakers, flag_time. Metric: macro-F1.
Oracle: the two statements are both visible, and only one of their four combinations of values is chosen as wrong in
each half of the pairs: finding and normal report are both found in clean scenes (together) and in perturbed ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from bsft.bench.casefile import CaseFile, clock
from bsft.bench.perturb import Pair, name_other_side, other_side_in, place
from bsft.bench.records import TaskSpec
from bsft.bench.scene import Scene, Slot
from bsft.bench.tasks.twins import NO_FLAG, choose_kind
from bsft.bench.wordings import Attribute

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

SEQUENCE_TOPIC = "the order of the symptoms"
CLOCK_TOPIC = "the times of arrival and blood sample"


def pair(case: CaseFile, rng: random.Random) -> Pair:
    """A pair of the first kind, in random order, that this case allows."""
    makers: dict[str, Callable[[CaseFile, Scene, random.Random], Pair | None]] = {
        "consistency/exam_imaging": _exam_imaging,
        "consistency/side": _side,
        "consistency/history_medication": _history_medication,
        "consistency/speakers": _speakers,
        "consistency/sequence": _sequence,
        "consistency/clock": _clock,
    }
    for kind in choose_kind(case, KINDS, rng):
        if (made := makers[kind](case, _with_accounts(case, kind, rng), rng)) is not None:
            return made
    raise ValueError(f"{case.case.id} ({case.condition.id}): no contradiction can be made")


def claim_fields(case: CaseFile) -> dict[str, str]:
    """What the claims of this task name beyond the base scene."""
    return {"topic": _attribute(case).topic, "time_topic": SEQUENCE_TOPIC}


def _attribute(case: CaseFile) -> Attribute:
    age = case.person.age_years
    fitting = [a for a in case.words.threads.attributes if a.ages.low <= age <= a.ages.high]
    return case.rng("attribute").choice(fitting)


def _with_accounts(case: CaseFile, kind: str, rng: random.Random) -> Scene:
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
    scene = case.core
    for name in chosen:
        scene = place(case, scene, rng, *threads[name](case, rng))
    return scene


def _denial(case: CaseFile, rng: random.Random) -> list[Slot]:
    """An illness that the patient never had."""
    line = case.words.threads.denial_line
    return [case.slot("denial", line, ("Resident", "resident"), y=case.text("denied:history"))]


def _accounts(case: CaseFile, rng: random.Random) -> list[Slot]:
    """Two people say the same about one habit."""
    threads = case.words.threads
    first, second = rng.choice(_attribute(case).values)
    return [
        case.slot("account_first", threads.account_first, ("Nurse", "nurse"), clause=first),
        case.slot("account_second", threads.account_second, case.relative, clause=second),
    ]


def _order_of_two(case: CaseFile, rng: random.Random) -> list[Slot]:
    """A relative remembers which of two symptoms came first."""
    early, late = _two_events(case)
    sequence = f"{early} came before {late}" if rng.random() < 0.5 else f"{late} came after {early}"
    return [case.slot("sequence", case.words.threads.sequence_line, case.relative, sequence=sequence)]


def _arrival(case: CaseFile, rng: random.Random) -> list[Slot]:
    """The time of arrival, which is before that of the blood sample."""
    line = case.words.threads.arrival_line
    return [case.slot("arrival", line, ("Nurse", "nurse"), arrival=clock(case.clock_minutes[0]))]


def _two_events(case: CaseFile) -> tuple[str, str]:
    """Two successive events of the story, in their true order."""
    i = case.rng("two events").randrange(len(case.events) - 1)
    return case.text(case.events[i]), case.text(case.events[i + 1])


def _exam_imaging(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    """Finding with normal report, or normal examination with a pathological report.

    Half of the clean scenes hold both findings and half hold neither; nothing else that is said may speak of them.
    The order is left out: it may be what only the findings call for.
    """
    study = case.imaging
    if study.confirms_exam is None or _told_otherwise(case):
        return None
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
    return Pair("consistency/exam_imaging", "flag_exam_imaging", clean, slot, field, after, partner=partner)


def _told_otherwise(case: CaseFile) -> bool:
    """Whether complaint or story speak of what the examinations and the study find or do not find."""
    told = [case.text("complaint"), *(case.text(event) for event in case.events)]
    seen = [f"{kind}:{entry.id}" for entry in case.exams for kind in ("exam", "exam_normal")]
    seen += [f"{kind}:{case.imaging.id}" for kind in ("imaging", "imaging_normal")]
    named = [case.imaging.study, *(entry.site for entry in case.exams)]
    return bool(_stems(" ".join(told)) & _stems(" ".join([*named, *(case.text(fact) for fact in seen)])))


def _stems(text: str) -> set[str]:
    """Beginnings of the longer words: "swollen" and "swelling" share theirs."""
    return {word[:STEM_LETTERS] for word in re.findall(r"[a-z]{4,}", text.lower())} - COMMON_STEMS


def _side(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    """The imaging names the other side than the examination."""
    report = scene["imaging"].fields["finding"]
    examined = [scene["examination"].fields[f"f{i}"] for i in range(2)]
    after = other_side_in(report, case.side, case.other_side)
    if after == report or not any(other_side_in(text, case.side, "") != text for text in examined):
        return None
    named = name_other_side(case, scene, rng, flipped=report)
    if named is None:
        return None
    return Pair("consistency/side", "flag_exam_imaging", named, "imaging", "finding", after, partner="examination")


def _history_medication(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    after = case.text("denied:medication")
    return Pair(
        "consistency/history_medication", "flag_history_medication", scene, "background", "mx", after, partner="denial"
    )


def _speakers(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    attribute = _attribute(case)
    said = next(i for i in range(2) if attribute.values[i][1] == scene["account_second"].fields["clause"])
    after = attribute.values[1 - said][1]
    return Pair("consistency/speakers", "flag_speakers", scene, "account_second", "clause", after)


def _sequence(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    early, late = _two_events(case)
    true = scene["sequence"].fields["sequence"]
    after = f"{late} came before {early}" if "came before" in true else f"{early} came after {late}"
    return Pair("consistency/sequence", "flag_time", scene, "sequence", "sequence", after)


def _clock(case: CaseFile, scene: Scene, rng: random.Random) -> Pair | None:
    late = clock(case.clock_minutes[1] + rng.randrange(35, 120, 5))
    return Pair("consistency/clock", "flag_time", scene, "arrival", "arrival", late, claims={"time_topic": CLOCK_TOPIC})
