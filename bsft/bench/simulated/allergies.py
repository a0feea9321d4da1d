"""The allergies on a simulated patient's record: none forbids anything that the case holds, or makes it debatable."""

import random
from collections.abc import Iterable
from functools import cache

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.bank.schema import Condition
from bsft.bench.oracle import allergy_conflict, allergy_is_debatable
from bsft.bench.person import Person

NONE_KNOWN_PROBABILITY = 0.15
SECOND_PROBABILITY = 0.25
DRUG_ALLERGEN_SHARE = 0.8
"""Records name drugs far more often than foods: only then is finding a conflict a matter of looking the drug up."""


def draw_allergens(condition: Condition, person: Person, comorbidity_drug: str, rng: random.Random) -> list[str]:
    """Names of none, one or two allergens."""
    if rng.random() < NONE_KNOWN_PROBABILITY:
        return []
    bank = load_bank()
    medicines = [medicine.drug for medicine in condition.medications]
    drugs = (*condition.first_line.drugs, *condition.alternative.drugs, *medicines, *comorbidity_drug.split()[:1])
    harmless = [name for name in _harmless(bank, drugs) if person.age_years >= bank.allergens[name].min_age_years]
    to_drugs = [name for name in harmless if bank.allergens[name].forbids]
    others = [name for name in harmless if not bank.allergens[name].forbids]
    chosen: list[str] = []
    for _ in range(2 if rng.random() < SECOND_PROBABILITY else 1):
        pool = to_drugs if to_drugs and rng.random() < DRUG_ALLERGEN_SHARE else others
        weights = [bank.allergens[name].common ** 0.5 for name in pool]
        chosen.append(rng.choices(pool, weights)[0])
    return list(dict.fromkeys(chosen))


def order_conflicts(bank: Bank, condition: Condition) -> tuple[list[str], list[str]] | None:
    """Allergens that forbid only the first choice, and those that forbid only the alternative; None unless both are."""
    groups = [
        {group for drug in treatment.drugs if drug in bank.drugs for group in bank.drugs[drug].allergy_groups}
        for treatment in (condition.first_line, condition.alternative)
    ]
    first, second = (
        [n for n, a in bank.allergens.items() if set(a.forbids) & groups[i] and not set(a.forbids) & groups[1 - i]]
        for i in (0, 1)
    )
    return (first, second) if first and second else None


def speak_against(bank: Bank, allergens: Iterable[str], drug: str) -> bool:
    """Whether one of the allergies on record forbids a drug or makes it debatable."""
    return any(allergy_conflict(bank, name, [drug]) or allergy_is_debatable(bank, name, [drug]) for name in allergens)


def conflicting(bank: Bank, drug: str, age_years: float) -> list[str]:
    """Allergens that forbid a drug."""
    return [name for name in _forbidding(bank, drug) if age_years >= bank.allergens[name].min_age_years]


@cache
def _harmless(bank: Bank, drugs: tuple[str, ...]) -> list[str]:
    """Allergens that neither forbid one of the drugs nor make it debatable."""
    return [
        name
        for name in bank.allergens
        if not allergy_conflict(bank, name, drugs) and not allergy_is_debatable(bank, name, drugs)
    ]


@cache
def _forbidding(bank: Bank, drug: str) -> list[str]:
    return [name for name in bank.allergens if allergy_conflict(bank, name, [drug])]
