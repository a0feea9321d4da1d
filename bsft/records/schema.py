"""The records that travel through bsft: cases, items, tasks and predictions' raw material.

Every record is validated when it is read and frozen afterwards. Records know nothing of models or tokens.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1
"""Version of the item and case records on disk; part of every job's identity."""

Group = Literal["reactive", "balanced", "proactive"]
Behavior = Literal["reactive", "balanced", "proactive"]
Autonomy = Literal["L0", "L1", "L2", "L3", "L4", "L5"]
Role = Literal["attending", "resident", "nurse", "consultant", "pharmacist", "patient", "family", "record"]
Variant = Literal["plain", "perturbed", "clean", "distractor", "paraphrase", "other_sex"]
Metric = Literal["macro_f1", "accuracy"]
Track = Literal["core", "numeric_inference"]
FactKind = Literal[
    "demographic", "symptom", "history", "medication", "allergy", "exam", "vital", "lab", "imaging", "study", "order"
]


_NOISE = "_noise"


def noise_split(split: str) -> str:
    """The split that restates items of another one without changing anything that matters."""
    return split + _NOISE


BEHAVIORS: tuple[Behavior, ...] = ("reactive", "balanced", "proactive")
"""The behaviour spectrum, in order."""

NonEmpty = Annotated[str, Field(min_length=1)]


class Record(BaseModel):
    """Base of all records: unknown fields are refused, values are frozen and never coerced from another type, and
    numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Fact(Record):
    """One thing that is true of a case. `time_hours` is relative to presentation (negative: before it)."""

    id: NonEmpty
    kind: FactKind
    name: NonEmpty
    text: NonEmpty
    value: float | str | None = None
    unit: str | None = None
    reference_low: float | None = None
    reference_high: float | None = None
    time_hours: float = 0.0


class Event(Record):
    """A dated event of the course of illness, in hours relative to presentation."""

    id: NonEmpty
    text: NonEmpty
    time_hours: float


class ImageSpec(Record):
    """A figure as a specification; pixels are rendered on demand and never enter an item's hash."""

    kind: NonEmpty
    params: dict[str, float | str | list[float]] = {}
    alt: NonEmpty
    """Text description for text-only models."""


class Demographics(Record):
    age_years: Annotated[float, Field(ge=0, le=120)]
    sex: Literal["female", "male"]
    weight_kg: Annotated[float, Field(gt=0, le=400)] | None = None


class DifferentialDiagnosis(Record):
    name: NonEmpty
    evidence_for: list[str] = []
    evidence_against: list[str] = []


class Case(Record):
    """A clinical case: facts from which scenes and items are made."""

    id: NonEmpty
    source: NonEmpty
    licence: NonEmpty
    specialty: NonEmpty
    demographics: Demographics
    facts: list[Fact]
    events: list[Event] = []
    images: list[ImageSpec] = []
    diagnosis: NonEmpty
    differential: list[DifferentialDiagnosis] = []
    management: list[str] = []
    guideline_steps: list[str] = []

    @model_validator(mode="after")
    def _fact_ids_are_unique(self) -> Self:
        ids = [fact.id for fact in self.facts]
        if duplicates := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"fact ids must be unique within a case; repeated: {', '.join(duplicates)}")
        return self


class Turn(Record):
    """One utterance of a scene. `role` "record" is a document shown in the conversation (a table, a report)."""

    speaker: NonEmpty
    role: Role
    text: NonEmpty


class Option(Record):
    """A candidate reply. `flag` says that the reply raises an unasked concern."""

    text: NonEmpty
    label: NonEmpty
    flag: bool


class Locus(Record):
    """Where a perturbation sits: index of the turn, speaker's role, and the field that was touched."""

    turn: Annotated[int, Field(ge=0)]
    role: Role
    field: NonEmpty


class Perturbation(Record):
    kind: NonEmpty
    """`family/type`, e.g. `error/decimal_shift`."""
    locus: Locus
    before: str
    after: str
    visible_from: Annotated[int, Field(ge=0)] | None = None
    """Index of the turn by which all evidence of the problem has been shown; None: not known."""


class Item(Record):
    """One benchmark item: a scene, candidate replies and the label of the right one."""

    id: NonEmpty
    case_id: NonEmpty
    twin_id: str | None = None
    task: NonEmpty
    group: Group
    gold_behavior: Behavior
    autonomy: Autonomy
    turns: Annotated[list[Turn], Field(min_length=1)]
    query: str | None = None
    """The last clinician's request to the agent; None when nobody asks (unprompted)."""
    options: Annotated[list[Option], Field(min_length=2)]
    label: NonEmpty
    variant: Variant = "plain"
    perturbation: Perturbation | None = None
    original_id: str | None = None
    """Of an item that restates another one without changing anything that matters: the other one's id."""
    determinable: bool | None = None
    split: NonEmpty
    specialty: str | None = None
    images: list[ImageSpec] = []
    level: Annotated[int, Field(ge=1, le=4)] | None = None
    """How long the scene is, how far apart its evidence, how much else in it is alarming; 4 is the hardest."""
    track: Track | None = None
    """Of a proactive item: whether its problem is seen by equality and lookup, or only by judging a number."""

    @model_validator(mode="after")
    def _one_gold_option(self) -> Self:
        gold = [option for option in self.options if option.label == self.label]
        if len(gold) != 1:
            raise ValueError(f"exactly one option must carry the item's label {self.label!r}; found {len(gold)}")
        if self.variant == "perturbed" and self.perturbation is None:
            raise ValueError("a perturbed item must record its perturbation")
        return self

    @property
    def case_split(self) -> str:
        """The split that the case belongs to, also of an item that restates one of it in a split of its own."""
        return self.split if self.original_id is None else self.split.removesuffix(_NOISE)

    @property
    def gold(self) -> Option:
        """The gold option; its text is the gold response."""
        return next(option for option in self.options if option.label == self.label)


class TaskSpec(Record):
    """What a task is to the metrics: its group, its metric and, for macro-F1, its fixed label set."""

    name: NonEmpty
    group: Group
    metric: Metric
    labels: list[str] = []
    """The fixed label set; empty for accuracy tasks, whose gold label is constant or item-specific."""
    source: Literal["paper", "bsft", "other"] = "other"
    """Who named the category: the paper's first figure, this project, or somebody else's data."""

    @model_validator(mode="after")
    def _macro_f1_needs_labels(self) -> Self:
        if self.metric == "macro_f1" and len(self.labels) < 2:
            raise ValueError(f"task {self.name!r} is scored by macro-F1 and needs at least two labels")
        return self


class Manifest(Record):
    """What travels with a benchmark on disk, in `manifest.json`."""

    name: NonEmpty
    version: NonEmpty
    schema_version: int
    seed: int
    licence: NonEmpty
    tasks: list[TaskSpec]
    files: dict[str, list[str]]
    """Split -> file names, relative to the manifest."""
    counts: dict[str, dict[str, dict[str, int]]]
    """task -> split -> label -> number of items."""
    sha256: dict[str, str]
    """File name -> SHA-256 of its bytes."""
    notes: list[str] = []
