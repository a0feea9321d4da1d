"""Allergens for conflicts and for their clean twins, with the same overall frequencies.

A conflict between an allergy and an order is a *combination*. If allergens that cause conflicts were commoner in
perturbed scenes than in clean ones, counting words would find the conflict without reading. So for every condition
there are two distributions over names, one over those that conflict with its drugs and one over those that are harmless
beside them; the harmless ones are fitted so that both give the same frequencies over the whole bank.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.bank.schema import Allergen, Condition
from bsft.bench.splits import is_heldout

Matrix = NDArray[np.float64]

CONTROL_ALLERGY_PROBABILITY = 0.2
"""How often a second allergen that forbids no drug stands beside the first."""
NONE_KNOWN_PROBABILITY = 0.5
TARGET_BOOST = 4.0
"""How much more often a home medicine that can conflict is shown than another one."""
ORDER_SHARE = 0.5
"""Share of allergy conflicts, where possible, in which the order is changed and the allergy stays."""
MATCHING_TOLERANCE = 0.02
"""Largest tolerated difference between the two marginal frequencies of one name."""


@dataclass(frozen=True)
class Target:
    """The drug of a condition that can be put into conflict, and whether it is ordered or taken at home."""

    drug: str
    ordered: bool


@dataclass(frozen=True)
class MatchedAllergens:
    """Distributions of conflicting and of harmless allergens, for every condition where a conflict is possible."""

    bank: Bank
    names: tuple[str, ...]
    targets: Mapping[str, Target]
    weights: Mapping[str, float]
    """How willingly a condition is used; below 1 where its names would otherwise be too common to be matched."""
    conflicting: Mapping[str, Sequence[float]]
    harmless: Mapping[str, Sequence[float]]

    def draw_conflicting(self, condition_id: str, rng: random.Random) -> str:
        return rng.choices(self.names, self.conflicting[condition_id])[0]

    def draw_harmless(self, condition: Condition, home_drug: str, rng: random.Random) -> tuple[str, ...]:
        """Allergens for the record of a case without conflict: a matched one where a conflict is possible."""
        known = {n: a for n, a in self.bank.allergens.items() if _is_met(a, condition)}
        controls = [name for name, allergen in known.items() if not allergen.forbids]
        target = self.targets.get(condition.id)
        if target is not None and (target.ordered or target.drug == home_drug):
            first = rng.choices(self.names, self.harmless[condition.id])[0]
        elif rng.random() < NONE_KNOWN_PROBABILITY:
            return ()
        else:
            groups = _allergy_groups(self.bank, _drugs_of(condition))
            harmless = [n for n, a in known.items() if not groups & set(a.forbids)]
            first = rng.choices(harmless, [known[n].common for n in harmless])[0]
        second = rng.choice([name for name in controls if name != first])
        return (first, second) if rng.random() < CONTROL_ALLERGY_PROBABILITY else (first,)

    def home_weights(self, condition: Condition) -> list[float]:
        """How often each home medicine is the one that is shown: those that can conflict more often."""
        return _home_weights(condition, self.targets.get(condition.id))


def fit_harmless(conflicts: Matrix, allowed: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Fits the harmless names by iterative proportional fitting, lowering the weights of rows that cannot be matched.

    Args:
        conflicts: `(n, k)`, rows sum to 1: distribution of conflicting names per condition.
        allowed: `(n, k)` of 0 and 1: names that are harmless for the condition.
        weights: `(n,)`, how often each condition is used.

    Returns:
        Harmless names `(n, k)` with rows that sum to 1, and the weights `(n,)` for which
        `weights @ harmless` equals `weights @ conflicts`.

    Raises:
        ValueError: no matching exists even with lowered weights.
    """
    weights = weights.copy()
    for _ in range(60):
        target = weights @ conflicts
        flow = allowed * weights[:, None] + 1e-12 * allowed
        for _ in range(400):
            columns = flow.sum(0)
            flow = flow * np.where(columns > 0, target / np.where(columns > 0, columns, 1), 0)
            rows = flow.sum(1)
            flow = flow * np.where(rows > 0, weights / np.where(rows > 0, rows, 1), 0)[:, None]
        excess = target - flow.sum(0)
        if np.abs(excess).max() <= MATCHING_TOLERANCE * weights.sum() and (flow.sum(1) > 0).all():
            return flow / flow.sum(1, keepdims=True), weights
        # Names that cannot be placed elsewhere are too common: use the conditions that need them less often.
        weights = weights * np.where(conflicts @ np.maximum(excess, 0) > excess.max() * 0.25, 0.9, 1.0)
    raise ValueError("the allergens of the bank cannot be matched: one conflicts with nearly every condition")


def _is_met(allergen: Allergen, condition: Condition) -> bool:
    """Whether the patients of a condition are all old enough to have met an allergen."""
    return condition.population.age_years.low >= allergen.min_age_years


def _drugs_of(condition: Condition) -> list[str]:
    """Every drug that a scene of this condition may contain in its clean state."""
    drugs = [*condition.first_line.drugs, *(m.drug for m in condition.medications)]
    return list(dict.fromkeys(drugs))


def _allergy_groups(bank: Bank, drugs: Sequence[str]) -> set[str]:
    return {group for drug in drugs if drug in bank.drugs for group in bank.drugs[drug].allergy_groups}


@dataclass(frozen=True)
class _Row:
    """One condition's part of the matching."""

    condition: Condition
    target: Target
    conflicts: Matrix
    allowed: Matrix
    weight: float


def order_conflicts(bank: Bank, condition: Condition) -> tuple[list[str], list[str]] | None:
    """Allergens that forbid only the first choice, and those that forbid only the alternative; None unless both are."""
    drugs = (condition.first_line.drugs, condition.alternative.drugs)
    groups = [_allergy_groups(bank, list(names)) for names in drugs]
    first, second = (
        [n for n, a in bank.allergens.items() if set(a.forbids) & groups[i] and not set(a.forbids) & groups[1 - i]]
        for i in (0, 1)
    )
    return (first, second) if first and second else None


def unnamed_order_conflicts(bank: Bank, condition: Condition) -> tuple[list[str], list[str]] | None:
    """The same without allergens that are named like one of the drugs, and would be recognised by their name."""
    conflicts = order_conflicts(bank, condition)
    if conflicts is None:
        return None
    drugs = [*condition.first_line.drugs, *condition.alternative.drugs]
    first, second = ([name for name in names if not _is_named(name, drugs)] for names in conflicts)
    return (first, second) if first and second else None


def _is_named(allergen: str, drugs: Sequence[str]) -> bool:
    """Whether an allergen shares a word with the drugs: "heparins" with "heparin"."""
    return bool({w.rstrip("s") for w in allergen.split()} & {w.rstrip("s") for drug in drugs for w in drug.split()})


def _allergen_rows(bank: Bank) -> tuple[tuple[str, ...], list[_Row]]:
    names = tuple(name for name, allergen in bank.allergens.items() if allergen.forbids)
    forbids = {name: set(bank.allergens[name].forbids) for name in names}
    rows = []
    for condition in bank.conditions.values():
        target = _allergy_target(bank, condition)
        if target is None or not (shown := _share(condition, target)):
            continue
        groups = set(bank.drugs[target.drug].allergy_groups)
        conflicting = [n for n in names if groups & forbids[n] and not _is_named(n, _drugs_of(condition))]
        conflicts = np.array([bank.allergens[n].common ** 0.5 if n in conflicting else 0.0 for n in names])
        everything = _allergy_groups(bank, _drugs_of(condition))
        met = [_is_met(bank.allergens[name], condition) for name in names]
        allowed = np.array([float(known and not everything & forbids[n]) for n, known in zip(names, met, strict=True)])
        kept = 1.0 if unnamed_order_conflicts(bank, condition) is None else 1.0 - ORDER_SHARE
        rows.append(_Row(condition, target, conflicts, allowed, kept * shown))
    return names, rows


def _allergy_target(bank: Bank, condition: Condition) -> Target | None:
    """The ordered drug if it can conflict, otherwise the first home medicine that can."""
    main = condition.first_line.dose.drug if condition.first_line.dose is not None else None
    for drug in [main] if main is not None else condition.first_line.drugs[:1]:
        if drug in bank.drugs and bank.drugs[drug].allergy_groups:
            return Target(drug, True)
    for medication in condition.medications:
        if medication.drug in bank.drugs and bank.drugs[medication.drug].allergy_groups:
            return Target(medication.drug, False)
    return None


def _home_weights(condition: Condition, target: Target | None) -> list[float]:
    causal = [m.drug for m in condition.medications if m.drug in condition.name]
    if causal:  # Digoxin toxicity without digoxin at home would be a riddle of its own.
        return [float(m.drug in causal) for m in condition.medications]
    preferred = "" if target is None or target.ordered else target.drug
    # A medicine whose reason the history does not name would be a contradiction that nobody injected.
    reasons = {entry.name for entry in condition.history}
    return [
        m.probability * (TARGET_BOOST if m.drug == preferred else 1.0) if m.treats in reasons else 0.0
        for m in condition.medications
    ]


def _share(condition: Condition, target: Target) -> float:
    """How often a case of the condition shows the target drug at all."""
    if target.ordered:
        return 1.0
    weights = _home_weights(condition, target)
    shown = sum(w for w, m in zip(weights, condition.medications, strict=True) if m.drug == target.drug)
    return shown / sum(weights)


@cache
def matched_allergens() -> MatchedAllergens:
    """The matched allergens of the bank that ships with the package.

    Conditions that are trained are matched among themselves, and those held out with all of them.
    """
    bank = load_bank()
    names, rows = _allergen_rows(bank)
    rows = [row for row in rows if row.conflicts.sum() > 0]
    seen = [row for row in rows if not is_heldout(row.condition)]
    harmless: dict[str, list[float]] = {}
    weights: dict[str, float] = {}
    for chosen in (rows, seen):
        conflicts = np.array([row.conflicts / row.conflicts.sum() for row in chosen])
        wanted = np.array([row.weight for row in chosen])
        fitted, lowered = fit_harmless(conflicts, np.array([row.allowed for row in chosen]), wanted)
        harmless |= {row.condition.id: line.tolist() for row, line in zip(chosen, fitted, strict=True)}
        weights |= {row.condition.id: float(w) for row, w in zip(chosen, lowered / wanted, strict=True)}
    targets = {row.condition.id: row.target for row in rows}
    conflicting = {row.condition.id: (row.conflicts / row.conflicts.sum()).tolist() for row in rows}
    return MatchedAllergens(bank, names, targets, weights, conflicting, harmless)
