"""Cases of short stories, as if imported, for the tests of items made from imported cases."""

from __future__ import annotations

from typing import Any

from bsft.records.schema import Case

STORIES = {
    "Scurvy": ("Bleeding gums", "Corkscrew hairs on both legs; lives on toast and tea alone."),
    "Gout of the knee": ("Swollen knee", "Sudden pain at night after a feast of seafood and beer."),
    "Migraine with aura": ("Throbbing headache", "Zigzag lights before one-sided pain; loud noise is unbearable."),
    "Coeliac disease": ("Bloating after bread", "Pale bulky stools and an itchy blistering elbow for a year."),
    "Carpal tunnel syndrome": ("Tingling thumb", "Drops cups; wakes and shakes the hand until it is awake."),
    "Otosclerosis": ("Slow hearing loss", "Hears better in noisy rooms; an aunt wears an aid as well."),
    "Scabies": ("Itching between the fingers", "Flatmates scratch too; burrows at the wrists."),
    "Trigeminal neuralgia": ("Stabbing cheek", "Electric shocks when shaving or brushing teeth."),
    "Gallstone colic": ("Cramps under the ribs", "Waves of cramp an hour after fried meals; settles by dawn."),
    "Renal stone": ("Loin to groin agony", "Cannot lie still; the urine turned pink on Monday."),
    "Anal fissure": ("Tearing on the lavatory", "Bright drops on the paper; afraid of going."),
    "Iritis": ("Red aching eye", "Daylight hurts; the pupil looks small and odd."),
}


def case(name: str, index: int = 0, **changes: Any) -> Case:
    """A case of one of our stories, with normal observations and results."""
    complaint, history = STORIES.get(name, ("Malaise", "Nothing else is known."))
    facts: list[dict[str, Any]] = [
        {"id": "symptom:1", "kind": "symptom", "name": "complaint", "text": complaint},
        {"id": "symptom:2", "kind": "symptom", "name": "further", "text": f"Sleeps badly since day {index}"},
        {"id": "history:1", "kind": "history", "name": "History", "text": f"History: {history}"},
        {"id": "exam:1", "kind": "exam", "name": "Skin", "text": f"Skin: looks like {name} to me"},
    ]
    vitals = {"Heart rate": (72, "beats/min"), "Respiratory rate": (14, "breaths/min"), "Temperature": (36.8, "°C"),
              "Systolic blood pressure": (124, "mmHg"), "Diastolic blood pressure": (78, "mmHg")}  # fmt: skip
    for vital, (value, unit) in vitals.items():
        text = f"{vital}: {value} {unit}"
        facts.append({"id": vital, "kind": "vital", "name": vital, "text": text, "value": float(value), "unit": unit})
    labs = {"CBC, Hemoglobin": (13.4, "g/dL"), "Serum, Na": (140.0, "mEq/L"), "CBC, WBC": (19500.0, "/µL"),
            "Urinalysis, K": (40.0, "mEq/L")}  # fmt: skip
    for lab, (amount, unit) in labs.items():
        text = f"{lab}: {amount:,g} {unit}"
        facts.append({"id": lab, "kind": "lab", "name": lab, "text": text, "value": amount, "unit": unit})
    fields = {
        "id": f"case-{name}-{index}", "source": "tests", "licence": "CC0-1.0", "specialty": "unspecified",
        "demographics": {"age_years": 41.0, "sex": "female"}, "facts": facts, "diagnosis": name,
        "events": [
            {"id": f"event:{days}", "text": text, "time_hours": -24.0 * days}
            for days, text in ((9, "A long walk"), (5, "A cold bath"), (2, "A bad night"))
        ],
    }  # fmt: skip
    return Case.model_validate({**fields, **changes})


def all_cases() -> list[Case]:
    return [case(name, index) for name in STORIES for index in range(2)]
