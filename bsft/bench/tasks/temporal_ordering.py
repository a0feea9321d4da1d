"""Temporal ordering.

Abstract: the patient or a relative has told three symptoms with their times, and adds two contacts with health care;
    the agent puts one symptom and the contacts in order. Contacts come at any time, so that medicine does not tell the
    order. In recorded cases the agent orders three dated events of the record.
Group: reactive. Source: the paper's first figure.
Options: the true order, three other orders of the same events, one unjustified concern.
Metric: accuracy.
Oracle: the times, which are drawn or the record's own; as they are spoken, no two are equal.
Sample: "Give me the order of shaking chills and the two contacts." -> "First a visit to the pharmacy, then shaking
    chills, then a call to the family doctor."
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from bsft.bench.items import answer_item
from bsft.bench.left_out import LeftOut
from bsft.bench.person import ago
from bsft.bench.scenario import Scenario
from bsft.bench.scene import Slot
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.spoken import spoken
from bsft.bench.wordings import allowed, draw
from bsft.records.schema import Item, TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.other_cases import OtherCases

SPEC = TaskSpec(name="temporal_ordering", group="reactive", metric="accuracy", source="paper")

EVENTS, DISTRACTORS = 3, 3
RECENT_HOURS = 3.0
"""A symptom that began later leaves no time for contacts after it."""
EARLIER_FACTORS, LATER_FACTORS = (1.7, 2.8), (0.36, 0.6)
"""How much longer (or less long) ago than its neighbour a contact was: spoken in any unit, the two differ."""


def simulated_item(case: SimulatedCase) -> Item:
    rng = case.rng(SPEC.name)
    event = _event(case, rng)
    symptom = case.text(event)
    contacts = rng.sample(allowed(case.words.answers.contacts, case.edition), 2)
    true = rng.sample([symptom, *contacts], EVENTS)
    hours = _hours(true.index(symptom), -case.facts[event].time_hours, rng)
    answers = _orders(case, true, rng)
    told = {name: ago(hours[true.index(name)]) for name in contacts}
    scene = case.undecided_scene("story").append(_contacts_slot(case, told, rng))
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng, symptom=symptom), answers, rng)


def _orders(case: Scenario, events: Sequence[str], rng: random.Random) -> list[tuple[str, str]]:
    """The true order of the events, and others."""
    true, *others = permutations(events)
    orders = [true, *rng.sample(others, DISTRACTORS)]
    return case.answers(SPEC.name, [dict(zip("abc", order, strict=True)) for order in orders], rng)


def _event(case: SimulatedCase, rng: random.Random) -> str:
    """Id of a told event before and after which there was time for a contact; the first one where none leaves much."""
    usable = [event for event in case.told_events if -case.facts[event].time_hours >= RECENT_HOURS]
    return rng.choice(usable or case.told_events[:1])


def _hours(place: int, symptom_hours: float, rng: random.Random) -> list[float]:
    """Hours ago of three events in order, of which the one at `place` is the symptom."""
    hours = [symptom_hours]
    for _ in range(place):
        hours.insert(0, hours[0] * rng.uniform(*EARLIER_FACTORS))
    while len(hours) < EVENTS:
        hours.append(hours[-1] * rng.uniform(*LATER_FACTORS))
    return hours


def _contacts_slot(case: SimulatedCase, told: Mapping[str, str], rng: random.Random) -> Slot:
    (p, p_time), (q, q_time) = rng.sample(list(told.items()), 2)
    line = draw(case.words.answers.contacts_line, case.edition, rng)
    return Slot("contacts", *case.teller, line, {**case.fields, "p": p, "tp": p_time, "q": q, "tq": q_time})


def recorded_item(case: RecordedCase, others: OtherCases) -> Item:
    """The item of a recorded case; `others` take no part.

    Raises:
        LeftOut: fewer than three events before presentation, or their spoken times do not differ.
    """
    if len(case.told_events) < EVENTS:
        raise LeftOut(f"fewer than {EVENTS} dated events before presentation whose spoken times differ")
    rng = case.rng(SPEC.name)
    chosen = sorted(rng.sample(range(len(case.told_events)), EVENTS))
    answers = _orders(case, [spoken(case.told_events[i].text.rstrip(".")) for i in chosen], rng)
    return answer_item(SPEC, case, case.base_scene, case.question(SPEC.name, rng), answers, rng)
