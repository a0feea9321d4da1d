"""What a careful clinician would object to in the bank: each fault is one rule that runs over every condition.

A case that holds a problem which nobody injected is wrong in its clean twin: a medicine that the illness forbids, a
critical value that nobody mentions, a result that moves faster than it can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations

from bsft.bench.bank.load import CHILD_AGE_YEARS, Bank
from bsft.bench.bank.schema import Analyte, Condition, Medication, Vital

STOP_WORDS = re.compile(r"\b(stop|withhold|pause|suspend|discontinue|switch off)\b")
HOURS_PER_DAY = 24


def check_reference(bank: Bank) -> Iterator[str]:
    """Findings in the reference files that the clinical rules rest on."""
    drugs = bank.drugs.values()
    classes = {drug.drug_class for drug in drugs}
    groups = {group for drug in drugs for group in drug.allergy_groups}
    for name, allergen in bank.allergens.items():
        for group in allergen.debatable:
            if group not in classes | groups:
                yield f"{name}: debatable with {group!r}, which is neither an allergy group nor a drug class"
            elif group in allergen.forbids:
                yield f"{name}: both forbids {group!r} and calls it debatable"
    rules = bank.forbidden_home
    for state, names in rules.states.items():
        unknown = [name for name in names if name not in classes and name not in bank.drugs]
        yield from (f"{state}: forbids {name!r}, which is neither a drug class nor a drug" for name in unknown)
    presented = {name for entry in bank.presentations.values() if entry.conditions != "all" for name in entry.conditions}
    yield from (f"{name}: presents with a complaint, but is no condition" for name in sorted(presented - {*bank.conditions}))
    yield from (f"{name}: a condition without a presentation" for name in bank.conditions if name not in presented)
    contraindications = {state for drug in drugs for state in drug.avoid_in}
    for condition, states in rules.conditions.items():
        unknown = [state for state in states if state not in rules.states and state not in contraindications]
        yield from (f"{condition}: has the state {state!r}, which nothing describes" for state in unknown)


def _check_home_medicines(bank: Bank, condition: Condition) -> Iterator[str]:
    """Nothing that the illness forbids or its instructions stop, but for the culprit that the illness is named by."""
    states = bank.forbidden_home.conditions.get(condition.id)
    if states is None:
        yield "has no entry in forbidden_home.yaml"
        states = []
    for medication in (m for m in condition.medications if m.drug not in condition.name):
        for reason in _reasons_to_stop(bank, condition, medication, states):
            yield f"home medicine {medication.drug!r} does not go with {reason}"


def _reasons_to_stop(bank: Bank, condition: Condition, medication: Medication, states: list[str]) -> Iterator[str]:
    if (drug := bank.drugs.get(medication.drug)) is None:
        return
    names = (medication.drug, drug.drug_class)
    for state in states:
        if state in drug.avoid_in or not set(names).isdisjoint(bank.forbidden_home.states.get(state, ())):
            yield f"the state {state!r}"
    steps = [step.text for step in condition.guideline_steps]
    for text in (*steps, condition.first_line.text, condition.alternative.text):
        if STOP_WORDS.search(text) and any(re.search(rf"\b{re.escape(name)}s?\b", text) for name in names):
            yield f"the instruction {text!r}"


def _check_acted_on(bank: Bank, condition: Condition) -> Iterator[str]:
    """Somebody has acted on every critical value that belongs to the disease."""
    entries: dict[str, Analyte | Vital] = {**bank.analytes, **bank.vitals}
    for name, values in {**condition.labs, **condition.vitals}.items():
        if (entry := entries.get(name)) is None or name in condition.acted_on:
            continue
        for low, high in _limits(entry, condition):
            if entry.is_critical(values.low, low, high) or entry.is_critical(values.high, low, high):
                yield f"{name} [{values.low:g}, {values.high:g}] may be critical, but acted_on lacks it"
                break


def _limits(entry: Analyte | Vital, condition: Condition) -> Iterator[tuple[float | None, float | None]]:
    """The critical limits that apply to some member of the population."""
    ages = condition.population.age_years
    children_differ = isinstance(entry, Vital) and entry.reference_child is not None
    if isinstance(entry, Vital) and children_differ and ages.low < CHILD_AGE_YEARS:
        yield entry.critical_low_child, entry.critical_high_child
    if not children_differ or ages.high >= CHILD_AGE_YEARS:
        yield entry.critical_low, entry.critical_high


def _check_trend(bank: Bank, condition: Condition) -> Iterator[str]:
    """No result of a figure moves further within a day than it can."""
    if condition.figure is None or condition.figure.kind != "lab_trend":
        return
    params = condition.figure.params
    hours, values = params["hours"], params["values"]
    assert isinstance(hours, list) and isinstance(values, list)
    if (analyte := bank.analytes.get(str(params["analyte"]))) is None:
        yield f"the figure shows the unknown analyte {params['analyte']!r}"
    elif analyte.max_change_per_day is not None:
        for (h0, v0), (h1, v1) in combinations(zip(hours, values, strict=True), 2):
            if abs(v1 - v0) > analyte.max_change_per_day * max(1, (h1 - h0) / HOURS_PER_DAY):
                yield (
                    f"{params['analyte']} moves from {v0:g} to {v1:g} in {h1 - h0:g} hours, but by "
                    f"{analyte.max_change_per_day:g} {analyte.unit} a day at most"
                )


RULES: tuple[Callable[[Bank, Condition], Iterator[str]], ...] = (
    _check_home_medicines, _check_acted_on, _check_trend,
)  # fmt: skip
"""What must hold for each condition."""
