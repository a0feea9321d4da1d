"""Which right answers of other conditions stand beside a condition's own: panels of the bank, made once.

Every wrong option is what would be right in another condition, so that a text is wrong as well as right. Two answers
never share an item where one would be acceptable in the other's condition: the bank says so
(`reference/interchangeable.yaml`), their drugs are of one class, or their advice is about one topic. Conditions held
out for `test_heldout` have panels of their own, as no answer of theirs may be known from training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from bsft.bench.bank.load import CHILD_AGE_YEARS, Bank
from bsft.bench.bank.schema import Condition, Related, Treatment, pairs_of
from bsft.bench.simulated.allergies import order_conflicts
from bsft.bench.simulated.panels import ANY_COMPLAINT, Answer, Panels, fit_panels
from bsft.bench.splits import is_heldout

if TYPE_CHECKING:
    from bsft.bench.simulated.case import SimulatedCase

N_OPTIONS = 4
"""Answers of an item, the right one among them."""

LENGTH_SCALE_CHARACTERS, MAX_LENGTH_DIFFERENCE_CHARACTERS = 25.0, 60
"""Answers of similar length stand beside each other more often, and answers of very different length never."""

SPECIALTY_BONUS, SAME_COMPLAINT_BONUS, OTHER_POPULATION_FACTOR = 30.0, 300.0, 0.1
"""How much closer conditions of one specialty are, and those that present alike; and those that never meet."""

ALLERGY_SHARE = 0.4
"""Share of cases, of conditions where it is possible, whose record forbids the first choice or the alternative."""

Exclusion = Callable[[Answer, Answer], bool]


@cache
def diagnosis_panels(bank: Bank, heldout: bool) -> Panels:
    """Diagnoses, of which none includes or follows from another."""
    answers = [Answer(c.id, c.name) for c in _conditions(bank, heldout)]
    return _fit(bank, answers, _in(bank.interchangeable.diagnosis), "diagnosis")


@cache
def next_test_panels(bank: Bank, heldout: bool) -> Panels:
    """The tests that decide."""
    answers = [Answer(c.id, c.next_test.test) for c in _conditions(bank, heldout)]
    return _fit(bank, answers, _in(bank.interchangeable.next_test), "next test")


@cache
def treatment_panels(bank: Bank, heldout: bool) -> Panels:
    """First choices of conditions, for cases without an allergy that matters."""
    answers = [
        Answer(c.id, c.first_line.text, 1.0 if deciding_allergens(bank, c.id) is None else 1.0 - ALLERGY_SHARE)
        for c in _conditions(bank, heldout)
    ]
    related = _in(bank.interchangeable.treatment)

    def excluded(one: Answer, other: Answer) -> bool:
        conditions = bank.conditions[one.condition_id], bank.conditions[other.condition_id]
        return related(one, other) or _shares_a_drug_class(bank, *conditions)

    return _fit(bank, answers, excluded, "treatment")


@cache
def allergy_panels(bank: Bank, heldout: bool) -> Panels:
    """Pairs of conditions whose first choices and alternatives stand beside each other: an allergy decides."""
    answers = [
        Answer(c.id, c.first_line.text)
        for c in _conditions(bank, heldout)
        if deciding_allergens(bank, c.id) is not None
    ]
    return _fit(bank, answers, _in(bank.interchangeable.treatment), "allergy", size=2)


@cache
def advice_panels(bank: Bank, heldout: bool) -> Panels:
    """Advice to patients, on different topics."""
    answers = [
        Answer(c.id, text, 1.0 / len(c.counselling)) for c in _conditions(bank, heldout) for text in c.counselling
    ]
    topics = {answer.text: _topics(bank, answer.text) for answer in answers}
    return _fit(bank, answers, lambda a, b: bool(topics[a.text] & topics[b.text]), "advice")


@cache
def reading_panels(bank: Bank, heldout: bool, kind: str) -> Panels | None:
    """Readings of figures of one kind; None where the bank has too few of them."""
    figures = [c for c in _conditions(bank, heldout) if c.figure is not None and c.figure.kind == kind]
    if len(figures) <= N_OPTIONS:
        return None
    answers = [Answer(c.id, c.figure.reading[0]) for c in figures if c.figure is not None]
    return _fit(bank, answers, _in(bank.interchangeable.reading), kind)


@cache
def deciding_allergens(bank: Bank, condition_id: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Allergens that forbid only the first choice, and those that forbid only the alternative, but no home medicine.

    None unless there are both.
    """
    condition = bank.conditions[condition_id]
    conflicts = order_conflicts(bank, condition)
    if conflicts is None:
        return None
    home = {group for m in condition.medications if m.drug in bank.drugs for group in bank.drugs[m.drug].allergy_groups}
    first, second = (tuple(n for n in names if not home & set(bank.allergens[n].forbids)) for names in conflicts)
    return (first, second) if first and second else None


def _in(interchangeable: Sequence[Related]) -> Exclusion:
    """Whether the bank names the conditions of two answers together."""
    pairs = pairs_of(interchangeable)
    return lambda one, other: frozenset((one.condition_id, other.condition_id)) in pairs


def _conditions(bank: Bank, heldout: bool) -> list[Condition]:
    return [condition for condition in bank.conditions.values() if is_heldout(condition) == heldout]


def _fit(bank: Bank, answers: Sequence[Answer], excluded: Exclusion, name: str, size: int = N_OPTIONS) -> Panels:
    closeness = np.zeros((len(answers), len(answers)))
    for i, one in enumerate(answers):
        for j, other in enumerate(answers[:i]):
            difference = abs(len(one.text) - len(other.text))
            if (
                one.condition_id == other.condition_id
                or one.text == other.text
                or difference > MAX_LENGTH_DIFFERENCE_CHARACTERS
                or excluded(one, other)
            ):
                continue
            likeness = _likeness(bank, one.condition_id, other.condition_id)
            closeness[i, j] = closeness[j, i] = likeness * exp(-difference / LENGTH_SCALE_CHARACTERS)
    complaints = {
        complaint: [i for i, answer in enumerate(answers) if entry.may_be(answer.condition_id)]
        for complaint, entry in bank.presentations.items()
        if complaint != ANY_COMPLAINT
    }
    return fit_panels(answers, closeness, size, name, complaints)


@cache
def _likeness(bank: Bank, one_id: str, other_id: str) -> float:
    """How easily two conditions are taken for each other."""
    one, other = bank.conditions[one_id], bank.conditions[other_id]
    likeness = SPECIALTY_BONUS if one.specialty == other.specialty else 1.0
    if any(way.conditions != "all" and {one_id, other_id} <= {*way.conditions} for way in bank.presentations.values()):
        likeness += SAME_COMPLAINT_BONUS
    return likeness if _may_meet(one, other) else likeness * OTHER_POPULATION_FACTOR


def _may_meet(one: Condition, other: Condition) -> bool:
    """Whether one patient could have either: ages overlap and the sexes agree."""
    ages, others = one.population.age_years, other.population.age_years
    sexes = {one.population.sex, other.population.sex} - {"any"}
    return ages.low <= others.high and others.low <= ages.high and len(sexes) < 2


def _shares_a_drug_class(bank: Bank, one: Condition, other: Condition) -> bool:
    """Whether the first choice in one would be a treatment of the other, too; doses of children are no adult's."""
    if (one.population.age_years.high < CHILD_AGE_YEARS) != (other.population.age_years.high < CHILD_AGE_YEARS):
        return False
    first, others = _classes(bank, one.first_line), _classes(bank, other.first_line)
    usable, others_usable = (_classes(bank, c.alternative) for c in (one, other))
    return bool(first & (others | others_usable) or others & usable)


def _classes(bank: Bank, treatment: Treatment) -> set[str]:
    return {bank.drugs[drug].drug_class for drug in treatment.drugs if drug in bank.drugs}


def _topics(bank: Bank, advice: str) -> set[int]:
    text = advice.lower()
    return {i for i, stems in enumerate(bank.interchangeable.advice_topics) if any(stem in text for stem in stems)}


def panel_answers(
    case: SimulatedCase, task: str, panels: Callable[[Bank, bool], Panels], rng: random.Random
) -> tuple[list[tuple[str, str]], str]:
    """An answer that is right in the case's condition and answers that are right in others, and a complaint of all."""
    right, others, complaint = panels(case.bank, is_heldout(case.condition)).draw(case.condition.id, rng)
    return case.answers(task, [{"x": answer.text} for answer in (right, *others)], rng), complaint
