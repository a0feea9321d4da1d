"""Schema of the case bank's conditions, one YAML file each.

The grammar of phrases matters, because scenes are composed from them:

* a *noun phrase* is lower-case, has its article where English wants one, and no final full stop:
  "a productive cough with rust-coloured sputum" (fits "came in with ...", "... began two days ago");
* a *finding* is a noun phrase or verbless clause that fits after "Chest:" ("coarse crackles at the {side} base");
* an *instruction* is an imperative without a full stop ("take blood cultures before the first antibiotic dose");
* a *clause* is a main clause in lower case without a full stop ("calcium gluconate is in").

`{side}` is the only placeholder: it becomes "left" or "right", the same one throughout a case.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Phrases = Annotated[list[str], Field(min_length=2)]
"""Independent wordings of the same fact; the last one is held out for the test split."""


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Entry):
    """`[low, high]` in YAML."""

    low: float
    high: float

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise ValueError(f"a range is [low, high]; found {value!r}")
            return {"low": value[0], "high": value[1]}
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high; found [{self.low}, {self.high}]")
        return self


class Population(Entry):
    age_years: Range
    sex: Literal["any", "female", "male"] = "any"


class CourseEvent(Entry):
    """A symptom or event before presentation. Events are listed in the order in which they happen."""

    id: str
    hours_before: Range
    """Hours before presentation at which it began; ranges of successive events must not overlap."""
    phrases: Phrases
    """Noun phrases: "shaking chills"."""


class HistoryEntry(Entry):
    name: str
    """Noun phrase without article: "type 2 diabetes"."""
    probability: Annotated[float, Field(gt=0, le=1)]


class Medication(Entry):
    drug: str
    """Generic name, lower case, as in reference/drugs.yaml."""
    dose: float
    unit: Literal["mg", "g", "micrograms", "units", "mL", "mmol", "puffs", "drops"]
    route: str
    """"by mouth", "intravenously", "subcutaneously", "inhaled", "topically" ..."""
    frequency: str
    """"once daily", "twice daily", "every 8 hours", "as a single dose" ..."""
    treats: str
    """The history entry it treats, or another reason: such a medicine limits what else is ordered, but is not shown."""
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class ExamFinding(Entry):
    id: str
    site: str
    """What is examined, capitalised: "Chest auscultation"."""
    finding: Phrases
    normal: Phrases
    discriminating: bool = False


class Imaging(Entry):
    id: str
    study: str
    """Capitalised: "Chest X-ray"."""
    finding: Phrases
    normal: Phrases
    confirms_exam: str | None = None
    """Id of the exam finding that a *normal* reading of this study would plainly contradict."""


class Figure(Entry):
    """A rendered figure. `kind` decides which parameters are allowed; the description is for text-only models."""

    kind: Literal["ecg", "spirometry", "audiogram", "lab_trend", "growth_chart", "temperature_chart", "tympanogram"]
    params: dict[str, float | str | list[float]] = {}
    reading: Phrases
    """What it shows, as findings."""
    misreadings: list[str] = []
    """Wrong readings of the same form, for kinds of which the bank has too few figures to set beside each other."""


class Differential(Entry):
    name: str
    """Noun phrase without article."""
    shared: str
    """What speaks for it, a noun phrase."""
    against: str
    """The feature of this condition that speaks against it, a noun phrase."""


class Treatment(Entry):
    text: str
    """Instruction: "give ceftriaxone 2 g intravenously once daily"."""
    drugs: list[str] = []
    """The drugs in it, as in reference/drugs.yaml (empty for procedures)."""
    dose: Medication | None = None
    """The main drug's order, when a dose is given."""


class NextTest(Entry):
    test: str
    """Noun phrase: "CT pulmonary angiography"."""
    because: str
    """Clause after "because": "it confirms or excludes the embolus directly"."""
    reported_by: list[str] = []
    """Ids of `imaging` and `labs` that are the test's report or come after it: where they are shown, nobody proposes
    it."""


class GuidelineStep(Entry):
    id: str
    text: str
    """Instruction."""
    kind: Literal["examination", "lab", "imaging", "history", "allergy", "treatment", "monitoring", "referral"]
    essential: bool = True


class Condition(Entry):
    """One condition of the bank."""

    id: str
    name: str
    """Noun phrase without article: "community-acquired pneumonia"."""
    specialty: str
    population: Population
    complaint: Phrases
    """Noun phrases for the presenting complaint."""
    course: Annotated[list[CourseEvent], Field(min_length=4)]
    history: Annotated[list[HistoryEntry], Field(min_length=2)]
    medications: Annotated[list[Medication], Field(min_length=2)]
    """Home medications; each fits the population and has an ordinary adult (or weight-appropriate) dose."""
    exam: Annotated[list[ExamFinding], Field(min_length=3)]
    vitals: dict[str, Range] = {}
    """Only those that depart from normal; see reference/vitals.yaml for ids and units."""
    labs: Annotated[dict[str, Range], Field(min_length=2)]
    """Characteristic results, usually abnormal, in the units of reference/labs.yaml. Low is the mild, high the
    severe end when the condition raises it; the simulator moves all of a case's values together with one severity."""
    labs_fall: list[str] = []
    """Analytes of `labs` (and vitals) that *fall* with severity: for them severity runs from high to low."""
    normal_labs: Annotated[list[str], Field(min_length=4)]
    """Analytes that are also reported and normal in this condition."""
    imaging: Annotated[list[Imaging], Field(min_length=1)]
    figure: Figure | None = None
    differentials: Annotated[list[Differential], Field(min_length=3)]
    evidence: Annotated[list[str], Field(min_length=3)]
    """Ids of course events, exam, imaging entries or `labs` keys that support the diagnosis best."""
    red_flags: Annotated[list[str], Field(min_length=1)]
    """Noun phrases."""
    first_line: Treatment
    alternative: Treatment
    """What to give when first_line is contraindicated by allergy (or the usual second choice)."""
    avoid: Annotated[list[Treatment], Field(min_length=2)]
    """Treatments that are contraindicated or wrong in this condition."""
    next_test: NextTest
    guideline_steps: Annotated[list[GuidelineStep], Field(min_length=4)]
    counselling: Annotated[list[str], Field(min_length=2)]
    """Right advice to the patient, instructions: "return at once if you cannot keep fluids down". It belongs to this
    condition: what is right in any illness does not stand here."""
    acted_on: dict[str, Annotated[list[str], Field(min_length=3)]] = {}
    """Clauses of a clinician who has acted on a critical value, by the analyte or vital sign that it belongs to: every
    one whose characteristic range reaches beyond the critical limits. Such a value defines the disease and is shown."""

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        known = {e.id for e in self.course} | {e.id for e in self.exam} | {i.id for i in self.imaging} | set(self.labs)
        if unknown := [e for e in self.evidence if e not in known]:
            raise ValueError(f"evidence names unknown facts: {', '.join(unknown)}")
        if not {m.treats for m in self.medications} & {e.name for e in self.history}:
            raise ValueError("no home medication treats an entry of the history")
        exams = {e.id for e in self.exam}
        for study in self.imaging:
            if study.confirms_exam is not None and study.confirms_exam not in exams:
                raise ValueError(f"imaging {study.id!r} confirms unknown exam finding {study.confirms_exam!r}")
        for earlier, later in zip(self.course, self.course[1:], strict=False):
            if later.hours_before.high > earlier.hours_before.low:
                raise ValueError(f"course event {later.id!r} may begin before {earlier.id!r}: their ranges overlap")
        if unknown := [a for a in self.labs_fall if a not in self.labs and a not in self.vitals]:
            raise ValueError(f"labs_fall names results that are not listed: {', '.join(unknown)}")
        shown = {*(i.id for i in self.imaging), *self.labs}
        if unknown := [name for name in self.next_test.reported_by if name not in shown]:
            raise ValueError(f"next_test.reported_by names unknown results: {', '.join(unknown)}")
        if unknown := [a for a in self.acted_on if a not in self.labs and a not in self.vitals]:
            raise ValueError(f"acted_on names results that are not listed: {', '.join(unknown)}")
        if both := sorted(set(self.labs) & set(self.normal_labs)):
            raise ValueError(f"listed both as characteristic and as normal: {', '.join(both)}")
        return self
