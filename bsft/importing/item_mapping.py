"""The YAML file that says how another project's item JSONL is laid out and what its names mean in ours.

Paths lead into a line: "case.id" is the field `id` of the object `case`, "answers.0" the first element of a list.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bsft.bench.tasks import TASKS
from bsft.records.errors import BadInput, explain
from bsft.records.schema import Autonomy, Behavior, Group, Metric, NonEmpty, Role, Variant
from bsft.records.untrusted import Missing, read_yaml

OWN_TASKS = {task.name: task for task in TASKS}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fields(_Section):
    """Where each part of an item is in a line. Parts that are None are not in the source."""

    id: NonEmpty
    task: NonEmpty
    turns: NonEmpty
    gold: NonEmpty
    """What identifies the right option, see `Options.gold`."""
    options: NonEmpty | None = None
    """None for the layout "fields"."""
    case_id: NonEmpty | None = None
    """None: every item is a case of its own."""
    twin_id: NonEmpty | None = None
    query: NonEmpty | None = None
    behavior: NonEmpty | None = None
    autonomy: NonEmpty | None = None
    split: NonEmpty | None = None
    variant: NonEmpty | None = None
    determinable: NonEmpty | None = None
    specialty: NonEmpty | None = None


class AddedTurn(_Section):
    """A part of the line, such as a laboratory table or a caption, that is shown as a document after the turns."""

    field: NonEmpty
    speaker: NonEmpty


class Turns(_Section):
    """How turns are laid out.

    "objects" is a list of objects with a speaker and a text; "lines" is one string, or a list of strings, with lines
    "Speaker: text"; a line without a speaker goes on with the turn before it.
    """

    layout: Literal["objects", "lines"]
    speaker: NonEmpty = "speaker"
    role: NonEmpty | None = None
    """Where an object says its role; None: the speaker's name decides."""
    text: NonEmpty = "text"
    roles: dict[str, Role] = {}
    """Role or speaker in the source -> role; names equal to ours need no entry."""
    add: list[AddedTurn] = []


class Options(_Section):
    """How options are laid out, which one is right, and which ones raise a concern.

    Layouts: "objects" (a list of objects), "texts" (a list of strings), "by_label" (an object label -> text), "fields"
    (every option is a field of the line).
    """

    layout: Literal["objects", "texts", "by_label", "fields"]
    text: NonEmpty = "text"
    label: NonEmpty | None = None
    """Where an object has its label; None: options have no labels of their own."""
    fields: dict[str, NonEmpty] = {}
    """Layout "fields": label -> where the option's text is; absent ones are left out."""
    semantic_labels: bool = True
    """Whether labels say what an option is. If not ("A", "B"), they become "correct", "distractor_1" and so on."""
    labels: dict[str, str] = {}
    """Label in the source -> ours; empty: labels stay."""
    gold: Literal["label", "position", "number", "letter", "text"]
    """What identifies the right option: its label, its position from 0, its number from 1, its letter, or its text."""
    flag: NonEmpty | None = None
    """Where an object says whether it raises a concern (true or false)."""
    flag_labels: list[str] | None = None
    """Labels, as they are in ours, of options that raise a concern."""
    flag_if_proactive: bool = False
    """The right option raises a concern if the item's gold behaviour is proactive, and no other option does."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if sum([self.flag is not None, self.flag_labels is not None, self.flag_if_proactive]) != 1:
            raise ValueError("give exactly one of flag, flag_labels and flag_if_proactive")
        if self.flag is not None and self.layout != "objects":
            raise ValueError('flag needs the layout "objects"')
        if (self.layout == "fields") != bool(self.fields):
            raise ValueError('fields belongs to the layout "fields"')
        return self

    @property
    def are_named(self) -> bool:
        """Whether options have labels that say what they are."""
        has_labels = self.label is not None if self.layout == "objects" else self.layout != "texts"
        return self.semantic_labels and has_labels


class Category(_Section):
    """A category of the source as one of our tasks. Group and metric may be left out for tasks that bsft has."""

    task: NonEmpty
    group: Group
    metric: Metric
    labels: list[str] = []
    """Fixed label set for macro-F1; empty: the labels that occur."""

    @model_validator(mode="before")
    @classmethod
    def _as_ours(cls, value: object) -> object:
        if isinstance(value, dict) and (own := OWN_TASKS.get(str(value.get("task")))):
            return {"group": own.group, "metric": own.metric, **value}
        return value


class Defaults(_Section):
    """Values for parts that the source does not have."""

    split: NonEmpty = "test"
    autonomy: Autonomy = "L2"


class PerturbationFields(_Section):
    """Where a perturbed item says what was changed."""

    kind: NonEmpty
    turn: NonEmpty
    """Position of the changed turn, from 0."""
    before: NonEmpty
    after: NonEmpty


class ItemMapping(_Section):
    """The whole file."""

    name: NonEmpty
    """The benchmark's name."""
    licence: NonEmpty
    fields: Fields
    turns: Turns
    options: Options
    categories: Annotated[dict[str, Category], Field(min_length=1)]
    behaviors: dict[str, Behavior] = {}
    autonomy: dict[str, Autonomy] = {}
    splits: dict[str, NonEmpty] = {}
    variants: dict[str, Variant] = {}
    perturbation: PerturbationFields | None = None
    defaults: Defaults = Defaults()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.options.layout == "fields") != (self.fields.options is None):
            raise ValueError('fields.options is needed for every layout of options but "fields"')
        if self.options.flag_if_proactive and self.fields.behavior is None:
            raise ValueError("options.flag_if_proactive needs fields.behavior")
        specs: dict[str, tuple[str, str, list[str]]] = {}
        for name, category in self.categories.items():
            spec = category.group, category.metric, category.labels
            if specs.setdefault(category.task, spec) != spec:
                raise ValueError(f"categories.{name}: another category describes task {category.task!r} differently")
        return self


def read_mapping(file: Path) -> ItemMapping:
    """Reads the mapping.

    Raises:
        BadInput: the file is missing, not YAML, or has an unknown or missing field.
    """
    try:
        return ItemMapping.model_validate(read_yaml(file))
    except Missing as error:
        raise BadInput(f"{error}; give --mapping FILE") from None
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}{_known_fields(error)}") from None


def _known_fields(error: ValidationError) -> str:
    """For an unknown field: which ones there are."""
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        return ""
    section: type[BaseModel] = ItemMapping
    for part in first["loc"][:-1]:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        section = annotation
    return f"; known are {', '.join(section.model_fields)}"
