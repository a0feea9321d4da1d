"""Finds what the bank's schema cannot see, because it lies between files: an unknown drug, an unusual dose.

What only a clinician would object to is found by the rules of `bank_clinical`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import bank_clinical

from bsft.bench.bank.load import CHILD_AGE_YEARS, Bank
from bsft.bench.bank.reference_schema import Analyte, Drug, Vital
from bsft.bench.bank.schema import Condition, Medication, Population, Range, Treatment

MICROGRAMS_PER_UNIT = {"micrograms": 1.0, "mg": 1e3, "g": 1e6}

COUNTED_DOSES = {"puffs": Range(low=1, high=10), "drops": Range(low=1, high=8)}
"""Local treatments are ordered by count; the mass in one puff or drop depends on the product."""
LOCAL_ROUTES = ("inhaled", "by nebuliser", "intranasally", "into the eye", "into the ear")

FEMALE_WORDS = (
    "pregnan", "eclampsia", "ectopic", "ovar", "uterin", "endometri", "placent", "miscarriage", "postpartum", "labour",
    "vagin", "menorrhag", "menopaus", "hyperemesis", "chorioamnionitis", "cervical cancer", "hellp",
)  # fmt: skip
PREGNANCY_WORDS = ("pregnan", "eclampsia", "ectopic", "placent", "miscarriage", "postpartum", "hyperemesis", "hellp")
MALE_WORDS = ("prostat", "testic", "epididym", "penile", "priapism")
SEX_OF_ANALYTE = {"psa": "male", "beta_hcg": "female", "ca125": "female"}
FERTILE_AGE_YEARS = Range(low=12, high=55)


def check_bank(bank: Bank) -> list[str]:
    """Findings of plausibility, each beginning with the condition or reference entry; none when all is well."""
    findings = [*_check_reference(bank), *bank_clinical.check_reference(bank)]
    for condition in bank.conditions.values():
        for rule in (_check_population, _check_results, _check_doses, _check_treatments, *bank_clinical.RULES):
            findings += [f"{condition.id}: {finding}" for finding in rule(bank, condition)]
    return findings


def _check_reference(bank: Bank) -> Iterator[str]:
    entries: dict[str, Analyte | Vital] = {**bank.analytes, **bank.vitals}
    for name, entry in entries.items():
        references = [r for r in _all_references(entry) if not _within(r, entry.plausible)]
        yield from (f"{name}: reference {_show(r)} exceeds the plausible {_show(entry.plausible)}" for r in references)
    groups = {group for drug in bank.drugs.values() for group in drug.allergy_groups}
    forbidden = {group for allergen in bank.allergens.values() for group in allergen.forbids}
    yield from (f"{group}: an allergy group of drugs that no allergen forbids" for group in sorted(groups - forbidden))
    yield from (f"{group}: forbidden by an allergen, but no drug has it" for group in sorted(forbidden - groups))
    related = {name for pair in bank.interchangeable.every_pair for name in pair} - set(bank.conditions)
    yield from (f"{name}: interchangeable with a condition, but no condition itself" for name in sorted(related))


def _check_population(bank: Bank, condition: Condition) -> Iterator[str]:
    text = f"{condition.id.replace('_', ' ')} {condition.name}".lower()
    population = condition.population
    implied = {"female" for word in FEMALE_WORDS if word in text} | {"male" for word in MALE_WORDS if word in text}
    if not implied:  # A name decides before a result does: beta-hCG is also measured in testicular cancer.
        results = (*condition.labs, *condition.normal_labs)
        implied = {SEX_OF_ANALYTE[name] for name in results if name in SEX_OF_ANALYTE}
    if implied and implied != {population.sex}:
        yield f"implies sex {' and '.join(sorted(implied))}, but the population's is {population.sex}"
    if any(word in text for word in PREGNANCY_WORDS) and not _within(population.age_years, FERTILE_AGE_YEARS):
        yield f"implies pregnancy, but the population's age is {_show(population.age_years)}"
    if condition.specialty == "paediatrics" and population.age_years.high > 18:
        yield f"is paediatric, but the population's age is {_show(population.age_years)}"


def _check_results(bank: Bank, condition: Condition) -> Iterator[str]:
    entries: dict[str, Analyte | Vital] = {**bank.analytes, **bank.vitals}
    known: tuple[tuple[str, Mapping[str, Analyte] | Mapping[str, Vital], list[str]], ...] = (
        ("analyte", bank.analytes, [*condition.labs, *condition.normal_labs]),
        ("vital", bank.vitals, [*condition.vitals]),
    )
    for kind, allowed, names in known:
        yield from (f"unknown {kind} {name!r}" for name in names if name not in allowed)
    for name, values in {**condition.labs, **condition.vitals}.items():
        if (entry := entries.get(name)) is None:
            continue
        if not _within(values, entry.plausible):
            yield f"{name} {_show(values)} exceeds the plausible {_show(entry.plausible)}"
        for reference in _references(entry, condition.population):
            if values.low <= reference.high and values.high >= reference.low:
                yield f"{name} {_show(values)} overlaps the reference range {_show(reference)}"
            elif (values.high < reference.low) != (name in condition.labs_fall):
                side = "below" if values.high < reference.low else "above"
                listed = "is" if name in condition.labs_fall else "is not"
                yield f"{name} {_show(values)} lies {side} the reference range, but {listed} in labs_fall"


def _check_doses(bank: Bank, condition: Condition) -> Iterator[str]:
    orders = [t.dose for t in (condition.first_line, condition.alternative) if t.dose is not None]
    # Wrong treatments may well have a wrong dose; only their drugs must be known.
    for order in [*condition.medications, *orders]:
        if (drug := bank.drugs.get(order.drug)) is None:
            yield f"unknown drug {order.drug!r}"
        elif finding := _dose_finding(order, drug, condition.population):
            yield finding
    for treatment in (condition.first_line, condition.alternative, *condition.avoid):
        yield from (f"unknown drug {name!r}" for name in treatment.drugs if name not in bank.drugs)
        if treatment.dose is not None and treatment.dose.drug not in treatment.drugs:
            yield f"orders {treatment.dose.drug!r}, which the treatment's drugs lack: {', '.join(treatment.drugs)}"


def _dose_finding(order: Medication, drug: Drug, population: Population) -> str | None:
    if order.unit in COUNTED_DOSES and drug.route in LOCAL_ROUTES:
        usual = COUNTED_DOSES[order.unit]
        return None if usual.low <= order.dose <= usual.high else f"{order.drug} {order.dose:g} {order.unit} is unusual"
    dose = _convert(order.dose, order.unit, drug.unit)
    if dose is None:
        return f"{order.drug} is ordered in {order.unit}, but its usual dose is in {drug.unit}"
    # Usual doses are adult ones: a child's may be lower, never higher.
    low = 0.0 if population.age_years.low < 18 else drug.usual_dose.low
    if not low <= dose <= drug.usual_dose.high:
        return f"{order.drug} {order.dose:g} {order.unit} is outside the usual {_show(drug.usual_dose)} {drug.unit}"
    return None


def _check_treatments(bank: Bank, condition: Condition) -> Iterator[str]:
    first, alternative = condition.first_line, condition.alternative
    for group in sorted(_allergy_groups(bank, first) & _allergy_groups(bank, alternative)):
        yield f"first_line and alternative share the allergy group {group!r}"
    for treatment in condition.avoid:
        for name in sorted(set(first.drugs) & set(treatment.drugs)):
            yield f"first_line's {name!r} is also to be avoided"


def _allergy_groups(bank: Bank, treatment: Treatment) -> set[str]:
    return {group for name in treatment.drugs if name in bank.drugs for group in bank.drugs[name].allergy_groups}


def _convert(dose: float, unit: str, target: str) -> float | None:
    if unit == target:
        return dose
    if unit in MICROGRAMS_PER_UNIT and target in MICROGRAMS_PER_UNIT:
        return dose * MICROGRAMS_PER_UNIT[unit] / MICROGRAMS_PER_UNIT[target]
    return None


def _all_references(entry: Analyte | Vital) -> list[Range]:
    ranges = [entry.reference, entry.reference_child]
    if isinstance(entry, Analyte):
        ranges += [entry.reference_female, entry.reference_male]
    return [r for r in ranges if r is not None]


def _references(entry: Analyte | Vital, population: Population) -> list[Range]:
    """The reference ranges that apply to some member of the population."""
    ages = population.age_years
    ranges: list[Range | None] = []
    if ages.low < CHILD_AGE_YEARS and entry.reference_child is not None:
        ranges.append(entry.reference_child)
        if ages.high < CHILD_AGE_YEARS:
            return [entry.reference_child]
    ranges.append(entry.reference)
    if isinstance(entry, Analyte) and entry.reference is None:
        ranges += [
            reference
            for sex, reference in (("female", entry.reference_female), ("male", entry.reference_male))
            if population.sex in (sex, "any")
        ]
    return [r for r in ranges if r is not None]


def _within(inner: Range, outer: Range) -> bool:
    return outer.low <= inner.low and inner.high <= outer.high


def _show(values: Range) -> str:
    return f"[{values.low:g}, {values.high:g}]"
