"""Rules that decide from a case's facts whether an injected problem can be found in the turns that are shown."""

import re
from collections.abc import Iterable

from bsft.bench.bank.load import CHILD_AGE_YEARS, Bank
from bsft.bench.bank.reference_schema import Analyte, Drug, Vital
from bsft.bench.bank.schema import Condition
from bsft.bench.limits import Limits

DOSE_FACTOR = 2.5
"""A dose this many times beyond the usual range is recognisably wrong."""

NOTHING_BY_MOUTH = re.compile(r"\b(vomit|retch|nil by mouth|stop feeds|swallow|keep \w+ fasted)")
DROWSY_COMA_SCORE = 12
"""Somebody with this score or less is given no tablets."""

NEVER_MISSED = {
    "antiepileptic", "corticosteroid", "mineralocorticoid", "dopamine precursor", "dopamine agonist", "dopaminergic",
    "anticholinesterase", "direct oral anticoagulant", "vitamin K antagonist", "immunosuppressant",
    "calcineurin inhibitor", "antithyroid drug",
}  # fmt: skip
"""Classes of tablets that are not stopped without another way of giving them."""
SHOCK_SYSTOLIC_MMHG = 95
"""Somebody whose systolic pressure may be this low is not sent away for what can wait."""

MICROGRAMS = {"micrograms": 1.0, "mg": 1e3, "g": 1e6}


def value_is_impossible(analyte: Analyte, value: float) -> bool:
    """A printed value that no living patient has (in the analyte's own unit)."""
    return not analyte.plausible.low <= value <= analyte.plausible.high


def value_is_critical(entry: Analyte | Vital, value: float, limits: Limits | None = None) -> bool:
    """Whether a value is beyond the entry's own limits, or beyond those given: a child's may differ.

    The limits of vital signs are inclusive, as in the National Early Warning Score 2 (a respiratory rate of 25 counts,
    one of 24 does not); laboratories phone what lies beyond theirs.
    """
    low, high = limits or (entry.critical_low, entry.critical_high)
    return entry.is_critical(value, low, high)


def dose_is_wrong(drug: Drug, dose: float, unit: str) -> bool:
    """A dose far outside the usual range, in whichever mass unit it is written."""
    if unit != drug.unit:
        if unit not in MICROGRAMS or drug.unit not in MICROGRAMS:
            return False
        dose *= MICROGRAMS[unit] / MICROGRAMS[drug.unit]
    return dose >= DOSE_FACTOR * drug.usual_dose.high or dose <= drug.usual_dose.low / DOSE_FACTOR


def allergy_conflict(bank: Bank, allergen: str, drugs: Iterable[str]) -> bool:
    """Whether an allergy on record forbids one of the drugs."""
    forbidden = set(bank.allergens[allergen].forbids)
    return any(forbidden & set(bank.drugs[drug].allergy_groups) for drug in drugs if drug in bank.drugs)


def allergy_is_debatable(bank: Bank, allergen: str, drugs: Iterable[str]) -> bool:
    """Whether giving the drugs despite an allergy on record is neither a plain conflict nor harmless.

    A cephalosporin after a reaction to penicillin is neither: such an order serves in no problem and in no clean twin.
    """
    if allergy_conflict(bank, allergen, given := [drug for drug in drugs if drug in bank.drugs]):
        return False
    doubtful = set(bank.allergens[allergen].debatable)
    return any(doubtful & {bank.drugs[drug].drug_class, *bank.drugs[drug].allergy_groups} for drug in given)


def contraindicated(bank: Bank, state: str, drugs: Iterable[str]) -> bool:
    """Whether a state is among the contraindications of one of the drugs."""
    return any(state in bank.drugs[drug].avoid_in for drug in drugs if drug in bank.drugs)


def unsuitable(bank: Bank, state: str, drugs: Iterable[str]) -> bool:
    """Whether a state is a contraindication of one of the drugs, or at least calls for caution with it."""
    return any(
        state in (*bank.drugs[drug].avoid_in, *bank.drugs[drug].caution_in) for drug in drugs if drug in bank.drugs
    )


def takes_no_tablets(condition: Condition) -> bool:
    """Whether the patient vomits, is to have nothing by mouth, swallows unsafely or is too drowsy to swallow."""
    told = [*condition.complaint, *(phrase for event in condition.course for phrase in event.phrases)]
    told += [condition.first_line.text, *(step.text for step in condition.guideline_steps)]
    score = condition.vitals.get("glasgow_coma_scale")
    drowsy = score is not None and score.low <= DROWSY_COMA_SCORE
    return drowsy or any(NOTHING_BY_MOUTH.search(text) for text in told)


def is_unstable(condition: Condition) -> bool:
    """Whether the illness comes with shock or a clouded mind, so that nothing is done that can wait."""
    pressure, score = (condition.vitals.get(name) for name in ("systolic_bp_mmhg", "glasgow_coma_scale"))
    adult = condition.population.age_years.high > CHILD_AGE_YEARS
    in_shock = adult and pressure is not None and pressure.low <= SHOCK_SYSTOLIC_MMHG
    return in_shock or (score is not None and score.low <= DROWSY_COMA_SCORE)
