"""The shipped bank with one condition changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bank_check import check_bank

from bsft.bench.bank.load import Bank
from bsft.bench.bank.schema import Condition


def findings_of(bank: Bank, condition: str, **changes: Any) -> list[str]:
    """What the check finds when fields of one condition are others; nobody acts on results that it lacks."""
    fields = bank.conditions[condition].model_dump(mode="json") | changes
    if "acted_on" not in changes:
        known = {*fields["labs"], *fields["vitals"]}
        fields["acted_on"] = {name: clauses for name, clauses in fields["acted_on"].items() if name in known}
    return check_bank(replace(bank, conditions={**bank.conditions, condition: Condition.model_validate(fields)}))
