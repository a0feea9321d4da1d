"""Reads the case bank's YAML into one frozen object; what violates the schema is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bsft.bench.bank.reference_schema import (
    Allergen,
    Analyte,
    Drug,
    ForbiddenHome,
    Interchangeable,
    Presentation,
    Vital,
)
from bsft.bench.bank.schema import Condition, Entry
from bsft.records.errors import BadInput, explain
from bsft.records.untrusted import read_yaml

EntryT = TypeVar("EntryT", bound=Entry)
ReadT = TypeVar("ReadT")

_CONDITION = TypeAdapter(Condition)

CHILD_AGE_YEARS = 12
"""Below it the child reference ranges apply."""


@dataclass(frozen=True, eq=False)
class Bank:
    """The whole case bank. Every mapping is sorted by its key. Banks are compared by identity, as keys of caches."""

    conditions: Mapping[str, Condition]
    analytes: Mapping[str, Analyte]
    vitals: Mapping[str, Vital]
    drugs: Mapping[str, Drug]
    allergens: Mapping[str, Allergen]
    interchangeable: Interchangeable
    forbidden_home: ForbiddenHome
    presentations: Mapping[str, Presentation]


@cache
def load_bank(root: Path | None = None) -> Bank:
    """Loads the bank that ships with the package, or another one of the same layout.

    Args:
        root: a directory with `reference/*.yaml` and `conditions/<specialty>/<condition id>.yaml`.

    Raises:
        BadInput: a file is missing, is not YAML, violates the schema, or is named otherwise than what it holds.
    """
    root = root or Path(__file__).parent
    reference = root / "reference"
    files = sorted((root / "conditions").glob("*/*.yaml"))
    if not files:
        raise BadInput(f"{root / 'conditions'}: no <specialty>/<condition id>.yaml in it")
    conditions = [_read_condition(file) for file in files]
    return Bank(
        conditions={condition.id: condition for condition in sorted(conditions, key=lambda c: c.id)},
        analytes=_read_reference(reference / "labs.yaml", Analyte),
        vitals=_read_reference(reference / "vitals.yaml", Vital),
        drugs=_read_reference(reference / "drugs.yaml", Drug),
        allergens=_read_reference(reference / "allergens.yaml", Allergen),
        interchangeable=read_checked(reference / "interchangeable.yaml", TypeAdapter(Interchangeable)),
        forbidden_home=read_checked(reference / "forbidden_home.yaml", TypeAdapter(ForbiddenHome)),
        presentations=_read_reference(reference / "presentations.yaml", Presentation),
    )


def _read_condition(file: Path) -> Condition:
    condition = read_checked(file, _CONDITION)
    # Names that agree with the path make ids unique within a specialty and findable without a search.
    for field, found, expected in (
        ("id", condition.id, file.stem),
        ("specialty", condition.specialty, file.parent.name),
    ):
        if found != expected:
            raise BadInput(f"{file}: field {field}: found {found!r}, allowed: {expected!r}, as the path says")
    return condition


def _read_reference(file: Path, kind: type[EntryT]) -> dict[str, EntryT]:
    entries = {}
    for name, value in sorted(read_yaml(file).items()):
        try:
            entries[name] = kind.model_validate(value)
        except ValidationError as error:
            raise BadInput(f"{file}: entry {name!r}: {explain(error)}") from None
    return entries


def read_checked(file: Path, kind: TypeAdapter[ReadT]) -> ReadT:
    """A file that ships with the package, checked.

    Raises:
        BadInput: the file is damaged.
    """
    try:
        return kind.validate_python(read_yaml(file))
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
