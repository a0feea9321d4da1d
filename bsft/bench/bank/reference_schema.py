"""Schema of the case bank's reference files: analytes, vital signs, drugs, allergens, and relations of conditions."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bsft.bench.bank.schema import Entry, Range


class Measure(Entry):
    """What is measured and has limits beyond which a value calls for action at once."""

    limits_are_critical: ClassVar[bool]
    """Whether a value at the limit itself calls for action."""
    name: str
    """Display name: "Potassium"."""
    unit: str
    critical_low: float | None = None
    critical_high: float | None = None
    plausible: Range
    """Outside it a value is not compatible with a living patient or a working assay."""
    decimals: Annotated[int, Field(ge=0, le=3)]

    def is_critical(self, value: float, low: float | None, high: float | None) -> bool:
        """Whether a value lies beyond one of two limits, or at it where that counts."""
        if self.limits_are_critical and value in (low, high):
            return True
        return (low is not None and value < low) or (high is not None and value > high)


class Analyte(Measure):
    """A laboratory analyte. Reference ranges by sex; `child` holds ranges under 12 years where they differ."""

    limits_are_critical = False
    panel: str
    """"electrolytes", "renal", "liver", "blood count", "coagulation", "inflammation", "cardiac", "endocrine" ..."""
    reference: Range | None = None
    reference_female: Range | None = None
    reference_male: Range | None = None
    reference_child: Range | None = None
    max_change_per_day: Annotated[float, Field(gt=0)] | None = None
    """How far a result moves within 24 hours at most; None where it may move as far as it likes."""
    detection_limit: float | None = None
    """Results below it are printed as "<limit"."""
    other_unit: str | None = None
    """Another unit in clinical use ..."""
    other_factor: float | None = None
    """... and what the value is multiplied by to reach it."""

    @model_validator(mode="after")
    def _has_reference(self) -> Self:
        if self.reference is None and (self.reference_female is None or self.reference_male is None):
            raise ValueError("give `reference`, or both `reference_female` and `reference_male`")
        return self


class Vital(Measure):
    limits_are_critical = True
    reference: Range
    reference_child: Range | None = None
    critical_low_child: float | None = None
    critical_high_child: float | None = None
    """Limits that hold at every age under 12 years, for signs with a `reference_child`."""


class Drug(Entry):
    """A drug with what the oracles need to know of it."""

    drug_class: str
    """"penicillin", "cephalosporin", "ACE inhibitor" ..."""
    allergy_groups: list[str] = Field(default_factory=list)
    """Allergens that forbid it: "penicillin", "sulfonamide antibiotics", "NSAIDs" ..."""
    unit: str
    usual_dose: Range
    """Usual single adult dose, in `unit`."""
    route: str
    """The commonest route, as in Medication.route."""
    avoid_in: list[str] = Field(default_factory=list)
    """History entries or states in which it is contraindicated: "asthma", "pregnancy", "severe renal impairment" ..."""
    caution_in: list[str] = Field(default_factory=list)
    """Those in which giving it is debatable: they serve neither as a problem nor as a harmless state."""


class Allergen(Entry):
    """Something to which a record may report an allergy. One that forbids nothing is a control."""

    reactions: Annotated[list[str], Field(min_length=3)]
    """Noun phrases: "an urticarial rash"."""
    forbids: list[str] = Field(default_factory=list)
    """Allergy groups of reference/drugs.yaml."""
    debatable: list[str] = Field(default_factory=list)
    """Allergy groups and drug classes whose drugs are neither forbidden by it nor harmless."""
    common: Annotated[float, Field(gt=0, le=1)]
    """Probability that an adult's record names it."""
    min_age_years: float = 0
    """Younger patients have hardly ever met it."""


class ForbiddenHome(Entry):
    """Which home medicines an illness forbids: each of its states has drug classes or single drugs."""

    states: dict[str, list[str]]
    conditions: dict[str, list[str]]
    """The states of each condition, or contraindications of drugs.yaml."""


class Presentation(Entry):
    """What brings patients to the door: a complaint that several conditions share."""

    complaint: Annotated[list[str], Field(min_length=3)]
    """Noun phrases that tell none of the conditions from the others."""
    conditions: Annotated[list[str], Field(min_length=2)] | Literal["all"]

    def may_be(self, condition_id: str) -> bool:
        """Whether a condition presents in this way."""
        return self.conditions == "all" or condition_id in self.conditions


class Related(Entry):
    """Pairs of conditions: each of `of` with each of `with`, which is `of` itself where it is not given."""

    of: Annotated[list[str], Field(min_length=1)]
    others: Annotated[list[str] | None, Field(alias="with")] = None

    @property
    def pairs(self) -> set[frozenset[str]]:
        partners = self.of if self.others is None else self.others
        return {frozenset((one, other)) for one in self.of for other in partners if one != other}


class Interchangeable(Entry):
    """Conditions whose right answers would be acceptable in each other."""

    diagnosis: list[Related] = Field(default_factory=list)
    treatment: list[Related] = Field(default_factory=list)
    next_test: list[Related] = Field(default_factory=list)
    reading: list[Related] = Field(default_factory=list)
    """Figures, named by their conditions."""
    advice_topics: list[Annotated[list[str], Field(min_length=1)]] = Field(default_factory=list)
    """Stems of words, lower case, by topic: two pieces of advice on one topic could both be right."""

    @property
    def every_pair(self) -> frozenset[frozenset[str]]:
        """The pairs of conditions that are related in any respect."""
        return pairs_of([*self.diagnosis, *self.treatment, *self.next_test, *self.reading])


def pairs_of(related: Iterable[Related]) -> frozenset[frozenset[str]]:
    """The pairs of conditions in all entries."""
    return frozenset(pair for entry in related for pair in entry.pairs)
