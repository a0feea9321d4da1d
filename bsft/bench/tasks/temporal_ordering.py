"""Temporal ordering (reactive, from the paper's first figure).

The patient or a relative has told three symptoms with their times, and adds two contacts with health care; the agent
puts one symptom and the contacts in order. Contacts come at any time, so that medicine does not tell the order.

Sample: query "Give me the order of shaking chills and the two contacts." -> "First a visit to the pharmacy, then
shaking chills, then a call to the family doctor."

Options: the true order, three other orders of the same events, one unjustified concern. Metric: accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations

from bsft.bench.casefile import CaseFile
from bsft.bench.person import ago
from bsft.bench.records import Item, Role, TaskSpec
from bsft.bench.scene import Slot
from bsft.bench.tasks.common import answer_item, question, replies_of
from bsft.bench.wordings import allowed, pick

SPEC = TaskSpec(name="temporal_ordering", group="reactive", metric="accuracy", source="paper")

DISTRACTORS = 3
RECENT_HOURS = 3.0
"""A symptom that began later leaves no time for contacts after it."""
EARLIER_FACTORS, LATER_FACTORS = (1.7, 2.8), (0.36, 0.6)
"""How much longer (or less long) ago than its neighbour a contact was: spoken in any unit, the two differ."""


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    event = _event(case, rng)
    symptom = case.text(event)
    contacts = rng.sample(allowed(case.words.replies.contacts, case.edition), 2)
    true = rng.sample([symptom, *contacts], 3)
    hours = _hours(true.index(symptom), -case.facts[event].time_hours, rng)
    others = [order for order in permutations(true) if list(order) != true]
    orders = [true, *rng.sample(others, DISTRACTORS)]
    replies = replies_of(case, SPEC.name, [dict(zip("abc", order, strict=True)) for order in orders])
    told = {name: ago(hours[true.index(name)]) for name in contacts}
    scene = case.core.before("order").append(_contacts_slot(case, told, rng))
    query = question(case, SPEC.name, rng, symptom=symptom)
    yield answer_item(SPEC, case, scene, query, replies, "correct", rng)


def _event(case: CaseFile, rng: random.Random) -> str:
    """Id of a told event before and after which there was time for a contact; the first one where none leaves much."""
    usable = [event for event in case.events if -case.facts[event].time_hours >= RECENT_HOURS]
    return rng.choice(usable or case.events[:1])


def _hours(place: int, symptom_hours: float, rng: random.Random) -> list[float]:
    """Hours ago of three events in order, of which the one at `place` is the symptom."""
    hours = [symptom_hours]
    for _ in range(place):
        hours.insert(0, hours[0] * rng.uniform(*EARLIER_FACTORS))
    while len(hours) < 3:
        hours.append(hours[-1] * rng.uniform(*LATER_FACTORS))
    return hours


def _contacts_slot(case: CaseFile, told: dict[str, str], rng: random.Random) -> Slot:
    (p, p_time), (q, q_time) = rng.sample(list(told.items()), 2)
    line = pick(case.words.replies.contacts_line, case.edition, rng)
    teller: tuple[str, Role] = ("Patient", "patient") if case.speaks_for_self else case.relative
    return Slot("contacts", *teller, line, {"p": p, "tp": p_time, "q": q, "tq": q_time})
