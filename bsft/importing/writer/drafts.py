"""What the model is asked to reply with. Every field is required, so that any server can enforce the schema."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import StringSchema

from bsft.records.schema import FactKind, NonEmpty, Record, Role, Turn

AgeUnit = Literal["hour", "day", "week", "month", "year"]
TimeUnit = Literal["minute", "hour", "day", "week", "month", "year"]


class _Draft(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgeDraft(_Draft):
    number: float
    unit: AgeUnit
    quote: NonEmpty


class TimeDraft(_Draft):
    """A time before or after presentation, as the text gives it."""

    number: float
    unit: TimeUnit
    direction: Literal["before", "after"]


class FactDraft(_Draft):
    kind: FactKind
    name: NonEmpty
    text: NonEmpty
    value: float | str | None
    unit: str | None
    reference_low: float | None
    reference_high: float | None
    time: TimeDraft | None
    quote: NonEmpty


class CaseDraft(_Draft):
    """A case, or as much of one as a part of a text holds."""

    specialty: str | None
    age: AgeDraft | None
    sex: Literal["female", "male"] | None
    diagnosis: str | None
    facts: list[FactDraft]
    differential: list[str]
    management: list[str]


class TurnDraft(_Draft):
    speaker: NonEmpty
    role: Role
    text: NonEmpty


class SceneDraft(_Draft):
    turns: list[TurnDraft]


class CaseScene(Record):
    """A case as several people talk about it; a line of `scenes.jsonl`."""

    case_id: NonEmpty
    turns: Annotated[list[Turn], Field(min_length=2)]


def schema_of(draft: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a draft, without the constraints that some servers do not take."""
    return draft.model_json_schema(schema_generator=_PlainStrings)


class _PlainStrings(GenerateJsonSchema):
    def str_schema(self, schema: StringSchema) -> JsonSchemaValue:
        return {"type": "string"}
