"""The ranges and limits that hold for a patient."""

from bsft.bench.bank.reference_schema import Analyte, Vital
from bsft.bench.bank.schema import Range
from bsft.bench.person import Person

Limits = tuple[float | None, float | None]
"""A lower and an upper limit; None where there is none."""


def reference_range(entry: Analyte | Vital, person: Person) -> Range:
    """The reference range for this patient's age and sex."""
    if person.is_child and entry.reference_child is not None:
        return entry.reference_child
    if isinstance(entry, Vital):
        return entry.reference
    by_sex = entry.reference_female if person.sex == "female" else entry.reference_male
    chosen = by_sex or entry.reference
    assert chosen is not None  # the schema demands one of them
    return chosen


def critical_limits(entry: Analyte | Vital, person: Person) -> Limits:
    """The limits beyond which a value calls for action at once, for this patient's age."""
    if isinstance(entry, Vital) and person.is_child and entry.reference_child is not None:
        return entry.critical_low_child, entry.critical_high_child
    return entry.critical_low, entry.critical_high
