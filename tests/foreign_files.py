"""Small files as other projects publish them, for the tests of their importers: AgentClinic, MEDEC, cases, items."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from note_files import pair

CASE: dict[str, Any] = {
    "id": "c1",
    "source": "me",
    "licence": "MIT",
    "specialty": "cardiology",
    "demographics": {"age_years": 40, "sex": "male"},
    "facts": [{"id": "lab:k", "kind": "lab", "name": "Potassium", "text": "K 4.1", "value": 4.1, "reference_low": 3.5}],
    "diagnosis": "none",
}

MEDEC_FILES = {
    "train": "MEDEC-Full-TrainingSet-with-ErrorType.csv",
    "validation": "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv",
    "test": "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv",
}

MAPPING: dict[str, Any] = {
    "name": "other-bench",
    "licence": "CC-BY-4.0",
    "fields": {
        "id": "uid", "case_id": "case.pmid", "task": "category", "turns": "dialogue", "query": "question",
        "options": "candidates", "gold": "answer", "behavior": "target", "split": "subset", "autonomy": "level",
    },
    "turns": {
        "layout": "objects", "speaker": "who", "role": "job", "text": "says",
        "roles": {"Chief": "attending", "Junior": "resident"},
        "add": [{"field": "tables.lab", "speaker": "Laboratory"}],
    },
    "options": {"layout": "objects", "text": "reply", "label": "kind", "gold": "label", "flag": "warns"},
    "categories": {"Error Correction": {"task": "error_correction"}, "DDx": {"task": "ddx_reasoning"}},
    "behaviors": {"Speak up": "proactive", "Answer": "reactive"},
    "splits": {"dev": "val", "eval": "test"},
    "autonomy": {"three": "L3"},
}  # fmt: skip

LINE: dict[str, Any] = {
    "uid": 7,
    "case": {"pmid": 123},
    "category": "Error Correction",
    "dialogue": [
        {"who": "Dr Gray", "job": "Chief", "says": "Potassium is 7.1."},
        {"who": "Dr Ito", "job": "Junior", "says": "I will carry on."},
    ],
    "tables": {"lab": "Potassium 7.1 mmol/L (ref 3.5-5.3)"},
    "question": "Write the discharge letter.",
    "candidates": [
        {"reply": "Here is the letter.", "kind": "no_flag", "warns": False},
        {"reply": "The potassium is dangerous.", "kind": "flag_lab_value", "warns": True},
    ],
    "answer": "flag_lab_value",
    "target": "Speak up",
    "subset": "eval",
    "level": "three",
}


def osce(**parts: Any) -> dict[str, Any]:
    """A record; `parts` replace whole sections."""
    sections = {
        "Objective_for_Doctor": "Find out why the patient is short of breath.",
        "Patient_Actor": {
            "Demographics": "62-year-old woman",
            "History": "She has been short of breath on the stairs for two weeks.",
            "Symptoms": {
                "Primary_Symptom": "Breathlessness",
                "Secondary_Symptoms": ["Swollen ankles", "No chest pain"],
            },
            "Past_Medical_History": ["Hypertension"],
            "Social_History": "N/A",
            "Current_Medications": ["Amlodipine"],
        },
        "Physical_Examination_Findings": {
            "Vital_Signs": {
                "Temperature": "36.8°C (98.2°F)",
                "Blood_Pressure": "150/95 mm Hg",
                "Heart_Rate": "104 bpm",
                "Respiratory_Rate": "22 breaths/min",
                "Oxygen_Saturation": "93% on room air",
            },
            "Chest_Examination": {"Auscultation": "Fine crackles at both bases"},
        },
        "Test_Results": {
            "Complete_Blood_Count": {"WBC": "7,500 /μL", "Hemoglobin": "10.2 g/dL (decreased)"},
            "Chest_X-ray": {"Findings": "An enlarged heart of 17 cm"},
        },
        "Correct_Diagnosis": "Heart failure",
    }
    return {"OSCE_Examination": {**sections, **parts}}


def write_medec(directory: Path, **changes: str) -> Path:
    directory.mkdir()
    for split, name in MEDEC_FILES.items():
        rows = [row for number in range(2) for row in pair(split, number)]
        for row in rows:
            row["Error Type"] = {"Diagnosis": "diagnosis"}.get(row["Error Type"], row["Error Type"])
        rows[0] |= changes if split == "test" else {}
        with (directory / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return directory
