"""Clinical data that problems need and the case bank has not: steps before acts, orders that mean two things, harms."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bsft.bench.bank.schema import Range

Pair = tuple[str, str]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Applies(_Entry):
    """Which cases an entry suits."""

    ages: Range = Range(low=18, high=110)
    sex: Literal["any", "female", "male"] = "any"
    specialties: list[str] | Literal["any"] = "any"
    unless: list[str] = []
    """Conditions, specialties, or words of an illness or drug that make it doubtful."""
    stable: bool = False
    """Whether it can wait, and so suits nobody in shock or with a clouded mind."""


class Step(_Entry):
    """An act, and what has to be done or known before it."""

    id: str
    label: str
    act: str
    order: str
    applies: Applies
    step: str
    done: Annotated[list[str], Field(min_length=3)]
    """Clauses that say that the step was done."""
    instead: Annotated[list[str], Field(min_length=3)]
    """Clauses about something that does not settle it, each in the form of the one of the same place in `done`."""
    harm: str
    action: str
    answered_by: list[str] = []
    """Analytes that would settle it if the table had them."""


class Ambiguity(_Entry):
    """An order that names a class, and two things on the chart of which both belong to it, or one."""

    id: str
    label: str
    applies: Applies
    shown: Annotated[list[Pair], Field(min_length=5)]
    clean: Annotated[list[Pair], Field(min_length=5)]
    order: str
    because: str = ""
    """Why somebody has such a medicine, where the rest of the chart does not tell."""


class Harm(_Entry):
    """Why a critical value matters, and what to do."""

    harm: str
    action: str


class Harms(_Entry):
    """By analyte or vital sign, and by the end at which a value is critical."""

    labs: dict[str, dict[Literal["low", "high"], Harm]]
    vitals: dict[str, dict[Literal["low", "high"], Harm]]

    def of(self, value_id: str) -> dict[Literal["low", "high"], Harm]:
        return self.vitals.get(value_id) or self.labs.get(value_id) or {}


class KidneyDrug(_Entry):
    """A drug that failing kidneys forbid."""

    drug: str
    order: str
    limit_egfr: Annotated[float, Field(gt=10, lt=60)]
    """In mL/min/1.73 m²; below it the drug is not given."""
    harm: str
    unless: list[str] = []


class Contraindication(_Entry):
    """A drug and an illness that forbids it."""

    drug: str
    order: str
    illness: str
    harm: str
    unless: list[str] = []


class Form(_Entry):
    """A paper on which a side or a name stands; `what` is how a concern names it."""

    id: str
    what: str
    text: list[str]


class Forms(_Entry):
    side: list[Form]
    identity: list[Form]


class Site(_Entry):
    """A part of the body that has a side, with a small task beside the case."""

    id: str
    said: list[str]
    task: str
    forms: list[str]
    applies: Applies


class ProblemData(_Entry):
    steps: list[Step]
    ambiguities: list[Ambiguity]
    forms: Forms
    sites: list[Site]
    harms: Harms
    kidney: list[KidneyDrug]
    contraindications: list[Contraindication]
    states: dict[str, str]
    """An illness as it is spoken of -> the state of the drug file that it is."""
