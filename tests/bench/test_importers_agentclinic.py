"""The AgentClinic importer, on small OSCE records with the names and spellings that the published file has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from foreign_files import osce

from bsft.bench.recorded.measurements import Measurement, measurement
from bsft.importing.agentclinic import UnstatedSex, import_agentclinic
from bsft.importing.demographics import age_years, digits, sex_in, sex_of_pronouns, weight_kg
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput
from bsft.records.schema import Case, Fact


def read(tmp_path: Path, *records: object, **options: Any) -> tuple[list[Case], ImportReport]:
    file = tmp_path / "osce.jsonl"
    file.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")  # no newline at the end
    report = ImportReport("agentclinic", str(file))
    return import_agentclinic(file, report, **options), report


def facts(case: Case) -> dict[str, Fact]:
    return {fact.id: fact for fact in case.facts}


def test_a_record_becomes_a_case_with_parsed_values_and_the_rest_as_text(tmp_path: Path) -> None:
    (case,), report = read(tmp_path, osce())
    found = facts(case)
    assert case.id == "agentclinic-0001"
    assert (case.demographics.age_years, case.demographics.sex) == (62.0, "female")
    assert case.diagnosis == "Heart failure"
    values = {name: (fact.value, fact.unit) for name, fact in found.items() if fact.kind == "vital"}
    assert values == {
        "vital:temperature_c": (36.8, "°C"),
        "vital:systolic_bp_mmhg": (150.0, "mmHg"),
        "vital:diastolic_bp_mmhg": (95.0, "mmHg"),
        "vital:heart_rate_bpm": (104.0, "beats/min"),
        "vital:respiratory_rate_per_min": (22.0, "breaths/min"),
        "vital:oxygen_saturation_percent": (93.0, "%"),
    }
    blood = found["lab:complete_blood_count_hemoglobin"]
    assert (blood.name, blood.value, blood.unit) == ("Complete Blood Count, Hemoglobin", 10.2, "g/dL")
    assert blood.text.endswith("(decreased)")
    assert found["imaging:chest_x_ray"].text == "Chest X-ray: An enlarged heart of 17 cm"
    assert [f.text for f in case.facts if f.kind == "symptom"] == ["Breathlessness", "Swollen ankles", "No chest pain"]
    assert [f.text for f in case.facts if f.kind == "medication"] == ["Amlodipine"]
    assert [finding.field for finding in report.empty] == ["history: social history"]
    assert report.fields["vital: heart rate"] == {"parsed": 1, "text": 0, "unparsed": 0, "empty": 0}


def test_what_cannot_be_parsed_stays_text_and_is_listed(tmp_path: Path) -> None:
    vitals = {
        "Vital_Signs": {
            "Heart_Rate": "Between 88 and 110 bpm",
            "Temperature": "Normal",
            "Blood_Pressure": "Not provided",
        }
    }
    (case,), report = read(tmp_path, osce(Physical_Examination_Findings=vitals))
    found = facts(case)
    assert found["vital:heart_rate"].text == "Heart Rate: Between 88 and 110 bpm"
    assert found["vital:heart_rate"].value is None
    assert found["vital:temperature"].text == "Temperature: Normal"
    assert [(f.record, f.field) for f in report.unparsed] == [("agentclinic-0001", "vital: heart rate")]
    assert ("vital: blood pressure", "Not provided") in [(f.field, f.found) for f in report.empty]


def test_blood_pressures_at_several_places_and_reference_ranges_beside_a_value(tmp_path: Path) -> None:
    tests = {
        "ESR": {"Rate": "20 mm/hr", "Normal_Range": "0–29 mm/hr"},
        "LDH": "120 U/L (normal range: 100-250 U/L)",
        "Vital_Signs_Later": {"Blood_Pressure": {"Sitting": "140/90 mmHg", "Standing": "110/70 mmHg"}},
        "HIV_Viral_Load": "> 100,000 copies/mL",
        "Urinalysis": {"Protein": "4+", "WBC": "12–16/hpf", "Nitrites": "Negative"},
    }
    (case,), _ = read(tmp_path, osce(Test_Results=tests))
    found = facts(case)
    assert (found["lab:esr"].reference_low, found["lab:esr"].reference_high) == (0.0, 29.0)
    assert (found["lab:ldh"].reference_low, found["lab:ldh"].reference_high) == (100.0, 250.0)
    assert found["vital:systolic_bp_mmhg:3"].name == "Systolic blood pressure (standing)"
    assert found["lab:hiv_viral_load"].value == ">100000"
    assert [found[f"lab:urinalysis_{name}"].value for name in ("protein", "wbc", "nitrites")] == [
        "4+",
        "12-16",
        "Negative",
    ]


def test_two_temperature_scales_that_disagree_are_noticed(tmp_path: Path) -> None:
    vitals = {"Vital_Signs": {"Temperature": "37.6°C (98°F)"}}
    (case,), report = read(tmp_path, osce(Physical_Examination_Findings=vitals))
    assert facts(case)["vital:temperature_c"].value == 37.6
    assert "98°F" in report.noticed[0]


def test_an_unstated_sex_is_the_callers_choice_and_reported(tmp_path: Path) -> None:
    patient = {"Demographics": "1100-g (2-lb 7-oz) newborn, 31 weeks' gestation", "History": "Born three days ago."}
    choices: tuple[UnstatedSex, ...] = ("female", "male")
    for choice in choices:
        (case,), report = read(tmp_path, osce(Patient_Actor=patient), unstated_sex=choice)
        assert case.demographics.sex == choice
        assert case.demographics.weight_kg == 1.1
        assert case.demographics.age_years == pytest.approx(3 / 365.25, abs=1e-4)
        assert len(report.assumed) == 1
    cases, report = read(tmp_path, osce(Patient_Actor=patient), unstated_sex="drop")
    assert cases == []
    assert "line 1" in report.dropped[0]


@pytest.mark.parametrize(
    ("text", "years", "sex"),
    [
        ("35-year-old female", 35, "female"),
        ("2-day-old male infant", 2 / 365.25, "male"),
        ("18-month-old boy", 1.5, "male"),
        ("4-week-old female newborn", 28 / 365.25, "female"),
        ("33-year-old female at 17-weeks gestation", 33, "female"),
        ("Newborn, 3050-g (6-lb 12-oz) male, six hours post delivery", 6 / 8766, "male"),
        ("thirty-five-year-old man accompanied by his wife", 35, "male"),
        ("62F", 62, "female"),
        ("M/70", 70, "male"),
        ("75 y/o gentleman", 75, "male"),
        ("aged 45 years, woman", 45, "female"),
        ("A parent", None, None),
    ],
)
def test_ages_and_sexes(text: str, years: float | None, sex: str | None) -> None:
    assert age_years(text) == (None if years is None else pytest.approx(years, abs=1e-4))
    assert sex_in(text) == sex


def test_pronouns_of_relatives_do_not_count() -> None:
    assert sex_of_pronouns("His mother says that she gave birth at term. He coughs.") == "male"
    assert sex_of_pronouns("The mother had diabetes. The girl coughs when she runs.") == "female"
    assert sex_of_pronouns("The mother says that he coughs.") is None
    assert weight_kg("weighs 3.2 kg") == 3.2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 ng/mL/hr (normal, 0.5–3.3 ng/mL/hr)", (10.0, "ng/mL/h", 0.5, 3.3)),
        ("13 gm/dL", (13.0, "g/dL", None, None)),
        ("7.5 x10^9/L", (7.5, "x10^9/L", None, None)),
        ("8.5 mg/dL (ref <5)", (8.5, "mg/dL", None, 5.0)),
        ("-5", (-5.0, None, None, None)),
        ("6.5 mmol/L (117 mg/dL) - controlled", (6.5, "mmol/L", None, None)),
        ("< 2 seconds", ("<2", "s", None, None)),
        ("1:320", ("1:320", None, None, None)),
    ],
)
def test_measurements(text: str, expected: tuple[float | str, str | None, float | None, float | None]) -> None:
    found = measurement(text)
    assert isinstance(found, Measurement)
    assert (found.value, found.unit, found.low, found.high) == expected


@pytest.mark.parametrize(
    "text", ["2.5 x 3.5 cm mass", "150/80 mm Hg (right), lower below", "No growth in 24 hours", "5 widgets"]
)
def test_what_is_no_single_measurement(text: str) -> None:
    assert measurement(text) is None


def test_number_words() -> None:
    assert digits("Twenty-one of two hundred and five thousand three hundred") == "21 of 205300"
    assert digits("one of us waited one week, none left") == "one of us waited 1 week, none left"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"question": "Which?", "answers": []}, "this is a question with answers"),
        (osce(Correct_Diagnosis=""), "field Correct_Diagnosis"),
        (osce(Patient_Actor={"History": "None."}), "field Patient_Actor.Demographics: missing"),
        (osce(Patient_Actor={"Demographics": "an old man"}), "'an old man', allowed: an age in years"),
        (osce(Patient_Actor={"Demographics": "150-year-old man"}), "age_years"),
        ([1], "line 2"),
    ],
)
def test_a_wrong_line_is_named_or_dropped(tmp_path: Path, record: object, message: str) -> None:
    with pytest.raises(BadInput, match="line 2") as caught:
        read(tmp_path, osce(), record)
    assert message in str(caught.value)
    cases, report = read(tmp_path, osce(), record, drop_invalid=True)
    assert len(cases) == 1
    assert message in report.dropped[0]


def test_cases_that_retell_each_other_are_noticed(tmp_path: Path) -> None:
    _, report = read(tmp_path, osce(), osce())
    assert report.noticed == [
        "agentclinic-0002: near-duplicate of agentclinic-0001 (100% shared); keep both in one split"
    ]


@pytest.mark.skipif("BSFT_AGENTCLINIC" not in os.environ, reason="BSFT_AGENTCLINIC names no file")
def test_the_published_file() -> None:
    file = Path(os.environ["BSFT_AGENTCLINIC"])
    report = ImportReport("agentclinic", str(file))
    cases = import_agentclinic(file, report)
    assert len(cases) == report.read == 214
    assert all(Case.model_validate_json(case.model_dump_json()) == case for case in cases)
    parsed = {
        name: sum(c["parsed"] for f, c in report.fields.items() if f.startswith(name)) for name in ("vital", "lab")
    }
    assert parsed["vital"] > 750
    assert parsed["lab"] > 400
    assert len(report.unparsed) < 25
