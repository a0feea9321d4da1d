"""AgentClinic's OSCE cases (MedQA and MedQA-extended, MIT licence): one JSON object per line, turned into cases.

A line holds what the patient knows, what examination and tests show, and the diagnosis, as nested objects whose names
differ from line to line. Demographics, vital signs and results are parsed; everything else is kept as text. What could
not be parsed is kept as text too, and listed in the report. Nothing is made up: where the sex of a newborn is not
stated, the caller decides, and the report names the case.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bsft.importing.demographics import age_years, is_newborn, sex_in, sex_of_pronouns, weight_kg
from bsft.importing.files import json_lines, near_duplicate_cases
from bsft.importing.osce_facts import FactList, kind_of, leaves, osce_words
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explained
from bsft.records.schema import Case, Demographics, Fact

SOURCE = "AgentClinic"
LICENCE = "MIT"
SPECIALTY = "unspecified"
"""The source names no specialty."""

_WEIGHTS = ("weight", "body weight", "birth weight")

UnstatedSex = Literal["female", "male", "drop"]


class _Line(BaseModel):
    """The sections of one line. Sections that are not named here are kept as text."""

    model_config = ConfigDict(extra="allow")

    objective: str = Field("", alias="Objective_for_Doctor")
    patient: dict[str, Any] = Field(alias="Patient_Actor")
    examination: dict[str, Any] = Field({}, alias="Physical_Examination_Findings")
    tests: dict[str, Any] = Field({}, alias="Test_Results")
    diagnosis: str = Field(alias="Correct_Diagnosis", min_length=1)
    management: dict[str, Any] = Field({}, alias="Management_and_Follow_Up")


def import_agentclinic(
    source: Path, report: ImportReport, *, unstated_sex: UnstatedSex = "female", drop_invalid: bool = False
) -> list[Case]:
    """Reads every line as a case.

    Args:
        report: takes what was parsed, assumed and dropped.
        unstated_sex: the sex of patients whose sex the text does not state, or "drop" to leave them out.
        drop_invalid: leave out lines that are not OSCE cases, instead of refusing the file.

    Raises:
        BadInput: the file is missing or a line is not what is expected.
    """

    def read(place: str, line: int, found: object) -> Case | None:
        return _case(f"agentclinic-{line:04d}", place, found, unstated_sex, report)

    cases = [case for case in json_lines(source, report, read, drop_invalid=drop_invalid) if case is not None]
    for i, j, share in near_duplicate_cases(cases):
        report.noticed.append(
            f"{cases[j].id}: near-duplicate of {cases[i].id} ({share:.0%} shared); keep both in one split"
        )
    return cases


def _case(case_id: str, place: str, found: object, unstated_sex: UnstatedSex, report: ImportReport) -> Case | None:
    osce = _read_line(place, found)
    person = _demographics(case_id, place, osce, unstated_sex, report)
    if person is None:
        return None
    with explained(place):
        return Case(
            id=case_id,
            source=SOURCE,
            licence=LICENCE,
            specialty=SPECIALTY,
            demographics=person,
            facts=_facts(case_id, osce, report),
            diagnosis=osce.diagnosis,
            management=[f"{leaf.name}: {leaf.text}" for leaf in leaves(osce.management)],
        )


def _demographics(
    case_id: str, place: str, osce: _Line, unstated_sex: UnstatedSex, report: ImportReport
) -> Demographics | None:
    """Age, sex and weight; None for a patient without a stated sex if those are to be dropped."""
    who = ", ".join(leaf.text for leaf in leaves(osce.patient.get("Demographics")) if leaf.text)
    if not who:
        raise BadInput(f"{place}: field Patient_Actor.Demographics: missing")
    story = " ".join([osce.objective, *(leaf.text for leaf in leaves(osce.patient))])
    age = age_years(who, story)
    if age is None and not is_newborn(who):
        raise BadInput(
            f"{place}: field Patient_Actor.Demographics: found {who!r}, allowed: an age in years, months, weeks, days "
            'or hours, such as "4-month-old girl"'
        )
    sex = stated_sex = sex_in(who) or sex_in(osce.objective)
    if sex is None and (sex := sex_of_pronouns(story)) is not None:
        report.assumed.append(f"{case_id}: {who!r} does not state the sex; taken as {sex} from the text's pronouns")
    if sex is None:
        if unstated_sex == "drop":
            report.dropped.append(f"{place}: {who!r}: nothing states the sex")
            return None
        sex = unstated_sex
        report.assumed.append(f"{case_id}: nothing states the sex of {who!r}; taken as {sex}")
    if age is None:
        report.assumed.append(f"{case_id}: {who!r} states no age; a newborn, taken as 0 years")
    report.count(case_id, "person: age", who, "text" if age is None else "parsed")
    report.count(case_id, "person: sex", who, "text" if stated_sex is None else "parsed")
    weighed = [leaf.text for leaf in leaves(osce.examination) if leaf.last.lower() in _WEIGHTS]
    weights = [kg for text in (*weighed, who) if (kg := weight_kg(text)) is not None]
    with explained(place):
        return Demographics(age_years=age or 0.0, sex=sex, weight_kg=weights[0] if weights else None)


def _read_line(place: str, found: object) -> _Line:
    if isinstance(found, dict) and "question" in found and "Patient_Actor" not in found:
        raise BadInput(f"{place}: this is a question with answers, not an OSCE case; only the OSCE files are read")
    inner = found.get("OSCE_Examination", found) if isinstance(found, dict) else found
    with explained(place):
        return _Line.model_validate(inner)


def _facts(case_id: str, osce: _Line, report: ImportReport) -> list[Fact]:
    """All facts of a line, in the order of its sections; counts go to the report."""
    collected = FactList(case_id, report)
    for leaf in leaves({"Objective": osce.objective}):
        collected.add("order", leaf)
    for section, value in osce.patient.items():
        for leaf in leaves({section: value}):
            is_medicine = section != "Demographics" and leaf.last.lower() in ("medications", "current medications")
            collected.add("medication" if is_medicine else osce_words().sections.get(section, "history"), leaf)
    for leaf in leaves(osce.examination):
        collected.add("vital" if kind_of(leaf.path[:1], "exam") == "vital" else "exam", leaf)
    for leaf in leaves(osce.tests):
        collected.add(kind_of(leaf.path, "lab"), leaf)
    for leaf in leaves(osce.model_extra or {}):
        collected.add("history", leaf)
    return collected.facts
