"""What is said around a simulated case: who speaks, in which order, and how much of it a level shows.

A scene is made of exchanges, one per topic: somebody asks, somebody answers, perhaps a third accepts. A slot's id is
its topic, or the topic and the act (`allergy`, `allergy/ask`); the turn that holds the facts has the topic's own name.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from bsft.bench.grammar import choose
from bsft.bench.scene import Scene, Slot, Speaker
from bsft.bench.spoken import clock, spoken
from bsft.bench.wordings import draw

if TYPE_CHECKING:
    from bsft.bench.simulated.case import SimulatedCase

ATTENDING: Speaker = ("Attending", "attending")
CONSULTANT: Speaker = ("Consultant", "consultant")
RESIDENT: Speaker = ("Resident", "resident")
NURSE: Speaker = ("Nurse", "nurse")
PHARMACIST: Speaker = ("Pharmacist", "pharmacist")
CLINICIANS = (ATTENDING, CONSULTANT, RESIDENT, NURSE)

HISTORY = ("story", "background", "allergy")
BEDSIDE = ("observations", "examination")
RESULTS = ("laboratory", "imaging")
DECISIONS = ("assessment", "order")
"""Topics in the order in which a round comes to them; those of one line change places."""
TAIL = (*DECISIONS, "next_test", "teaching", "worry")
"""What an answering task must not show: the diagnosis, the treatment and advice are said there."""

ANSWERED_BY: Mapping[str, tuple[Speaker, ...]] = {
    "intro": (RESIDENT, NURSE), "background": (PHARMACIST, NURSE, RESIDENT), "allergy": (NURSE, PHARMACIST, RESIDENT),
    "observations": (NURSE,), "examination": (RESIDENT, CONSULTANT), "laboratory": (("Laboratory", "record"),),
    "imaging": (("Report", "record"),), "assessment": (RESIDENT,), "order": (ATTENDING, CONSULTANT),
    "next_test": (RESIDENT,), "teaching": (RESIDENT,), "worry": (RESIDENT, NURSE),
}  # fmt: skip
ASKED_BY: Mapping[str, tuple[Speaker, ...]] = {
    "intro": (ATTENDING, CONSULTANT), "story": (RESIDENT, ATTENDING, NURSE), "background": (ATTENDING, RESIDENT),
    "allergy": (RESIDENT, ATTENDING, PHARMACIST), "observations": (ATTENDING, RESIDENT), "examination": (ATTENDING,),
    "laboratory": (ATTENDING, RESIDENT, CONSULTANT), "imaging": (ATTENDING, CONSULTANT),
    "assessment": (ATTENDING, CONSULTANT), "order": (NURSE, RESIDENT), "next_test": (ATTENDING, CONSULTANT),
    "teaching": (CONSULTANT,),
}  # fmt: skip
VOICES: Mapping[str, tuple[str, ...]] = {
    "attending": ("terse", "any"), "consultant": ("teaching",), "resident": ("thorough",), "nurse": ("brisk",),
    "pharmacist": ("thorough",), "patient": ("plain", "worried", "chatty"), "family": ("plain", "worried", "chatty"),
    "record": ("any",),
}  # fmt: skip

ASK_SHARE: Mapping[int, float] = {1: 0.5, 2: 0.7, 3: 0.7, 4: 0.8}
"""Level -> how often the question before an answer is heard."""
OTHER_TOPICS: Mapping[int, int] = {1: 0, 2: 2}
"""Level -> topics of a scene beside those that its item needs; above these levels a scene has them all."""
OBJECTION_SHARE = 0.5
SMALL_TALK: Mapping[int, int] = {1: 0, 2: 0, 3: 1, 4: 3}
"""Level -> exchanges without clinical content."""


def make_scene(case: SimulatedCase, required: Iterable[str]) -> Scene:
    """The scene of the case's level: at least the topics required, in the case's own order."""
    rng = case.rng("conversation")
    topics = [*_mixed(HISTORY, rng), *_mixed(BEDSIDE, rng), *_mixed(RESULTS, rng), *DECISIONS]
    tail = ["teaching", "worry"] if case.level == 4 else []
    if tail and case.next_test_is_open(topics):
        topics.insert(topics.index("order"), "next_test")
    if case.level in OTHER_TOPICS:
        needed = set(required)
        others = [topic for topic in topics[: -len(DECISIONS)] if topic not in needed]
        needed |= set(rng.sample(others, OTHER_TOPICS[case.level]))
        topics = [topic for topic in topics if topic in needed]
    slots: list[Slot] = []
    for topic in ("intro", *topics, *tail):
        slots += case.exchange(topic)
    for i in range(SMALL_TALK[case.level]):
        own = case.rng(f"small talk {i}")
        starts = [n for n, slot in enumerate(slots) if n and "/" in slot.id and slot.id.endswith("/ask")]
        position = own.choice(starts or [len(slots)])
        slots[position:position] = _small_talk(case, i, own)
    return Scene(tuple(slots))


def _mixed(topics: tuple[str, ...], rng: random.Random) -> list[str]:
    return rng.sample(topics, len(topics))


def make_exchange(case: SimulatedCase, topic: str) -> Iterator[Slot]:
    """The turns about one topic."""
    rng = case.rng(f"exchange {topic}")
    if topic == "worry":
        yield from _worry(case, rng)
        return
    asker = rng.choice(ASKED_BY[topic])
    answers = [case.teller] if topic == "story" else [who for who in ANSWERED_BY[topic] if who != asker]
    answerer = rng.choice(answers)
    short = case.level == 1
    if rng.random() < ASK_SHARE[case.level] and not (short and topic == "intro"):
        yield _said(case, topic, "ask", asker, rng, **_ask_fields(case, topic))
    yield _answer(case, topic, answerer, rng)
    yield from _acted_on(case, topic, rng)
    if topic == "assessment":
        if rng.random() < OBJECTION_SHARE:
            yield _said(case, topic, "object", asker, rng)
            yield _said(case, topic, "answer2", answerer, rng)
        else:
            yield _said(case, topic, "agree", asker, rng)
    elif topic in ("order", "teaching") and not short and rng.random() < ASK_SHARE[case.level]:
        yield _said(case, topic, "accept", asker, rng)


def _acted_on(case: SimulatedCase, topic: str, rng: random.Random) -> Iterator[Slot]:
    """Somebody acted on every alarming value of the illness just shown, and on tablets that cannot be taken."""
    if topic == "background" and case.tablets_are_held:
        words, kept = case.words.situations, case.home_medicine.drug
        text = draw(words.tablets_replaced if case.another_route_is_needed else words.tablets_held, case.edition, rng)
        yield Slot("acted on/tablets", *rng.choice((RESIDENT, PHARMACIST)), text, {**case.fields, "kept": kept})
    shown = {"observations": case.shown_vitals, "laboratory": case.shown_labs}.get(topic, ())
    for value_id in shown:
        if value_id in case.condition.acted_on and case.is_alarming(value_id):
            text = rng.choice(case.condition.acted_on[value_id])
            yield Slot(f"acted on/{value_id}", *rng.choice(CLINICIANS), text[:1].upper() + text[1:] + ".", {})


def _answer(case: SimulatedCase, topic: str, speaker: Speaker, rng: random.Random) -> Slot:
    fields = _topic_fields(case, topic)
    act = {"story": "answer_patient" if case.speaks_for_self else "answer_relative", "order": "propose"}.get(topic)
    act = act or ("heading" if topic in RESULTS else "answer")
    slot = _said(case, topic, act, speaker, rng, **fields)
    template = slot.template
    if topic == "observations":
        template = template.replace("{vitals}", ", ".join(f"{{{name}}}" for name in fields))
    elif topic == "laboratory":
        template = "\n".join([template, *(f"{{{name}}}" for name in fields if name != "clock")])
    return Slot(topic, slot.speaker, slot.role, template, slot.fields)


def _ask_fields(case: SimulatedCase, topic: str) -> dict[str, str]:
    return {"study": case.imaging.study, "study_spoken": spoken(case.imaging.study)} if topic == "imaging" else {}


def _worry(case: SimulatedCase, rng: random.Random) -> Iterator[Slot]:
    yield _said(case, "worry", "ask", case.teller, rng)
    yield _said(case, "worry", "answer", rng.choice(ANSWERED_BY["worry"]), rng)
    yield _said(case, "worry", "thanks", case.teller, rng)


def _said(case: SimulatedCase, topic: str, act: str, speaker: Speaker, rng: random.Random, **fields: str) -> Slot:
    """A turn in one of the wordings of its speaker's voice."""
    name = "opening" if topic == "intro" else "plan" if topic == "order" else topic
    voices = VOICES[speaker[1]]
    voice = voices[0] if len(voices) == 1 else case.rng(f"voice {speaker[0]}").choice(voices)
    templates = case.words.conversation.templates(name, act, voice, case.edition)
    template = choose(rng.choice(templates), rng)
    if case.paraphrased:  # drawn apart, so that everything else of the scene stays
        own = case.rng(f"paraphrase {topic}/{act}")
        template = choose(own.choice(templates), own)
    return Slot(f"{topic}/{act}", *speaker, template, {**case.fields, **fields})


def _small_talk(case: SimulatedCase, i: int, rng: random.Random) -> list[Slot]:
    """Two turns about beds, lunch or a slip of the tongue."""
    kind = rng.choice(("logistics", "logistics", "correction"))
    pairs = case.words.conversation.pairs[kind]
    first, second = rng.choice(pairs[-2:] if case.edition == "heldout" else pairs[:-2])
    asker, other = rng.sample(CLINICIANS, 2)
    answerer = asker if kind == "correction" else other
    return [
        Slot(f"small talk {i}/{act}", *speaker, choose(text, rng), case.fields)
        for act, speaker, text in (("ask", asker, first), ("answer", answerer, second))
    ]


def _topic_fields(case: SimulatedCase, topic: str) -> dict[str, str]:
    """The facts that a topic's answer holds, each a field of its own, so that a problem can change one."""
    if topic == "observations":
        return {f"v{i}": case.vital_text(vital) for i, vital in enumerate(case.shown_vitals)}
    if topic == "laboratory":
        rows = {f"row{i}": case.text(f"lab:{analyte}") for i, analyte in enumerate(case.shown_labs)}
        return {**rows, "clock": clock(case.clock_minutes[1])}
    if topic == "imaging":
        finding = case.text(f"imaging:{case.imaging.id}")
        return {"study": case.imaging.study, "study_spoken": spoken(case.imaging.study), "finding": finding}
    if topic == "order":
        return {"order": case.order_text}
    return {}
