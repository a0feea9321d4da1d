"""What the writer's checks catch, and what they let pass, on a report written for them."""

from __future__ import annotations

import pytest

from bsft.importing.writer.check import Source, check_case, check_scene, check_text
from bsft.importing.writer.documents import parts, tokens
from bsft.importing.writer.drafts import CaseDraft, SceneDraft, TurnDraft, schema_of
from bsft.importing.writer.findings import stem
from bsft.importing.writer.quantities import names_with_numbers, pairs, quantities, quantity

REPORT = (
    "A 62-year-old man presented with a three-day history of fever and productive cough. He denied chest pain and "
    "haemoptysis. He has type 2 diabetes and takes metformin 500 mg twice daily; he is allergic to penicillin.\n"
    "Temperature was 38.9 C, pulse 112 bpm, blood pressure 98/60 mmHg and oxygen saturation 91% on room air. Coarse "
    "crackles were heard at the right lung base. There was no peripheral oedema.\n"
    "Sodium 128 mmol/L (reference 133-146), potassium 4.1 mmol/L, CRP 210 mg/L, white cell count 17.2 x10^9/L. A "
    "chest radiograph showed right lower lobe consolidation. Community-acquired pneumonia was diagnosed."
)


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(REPORT)


@pytest.mark.parametrize(
    "said",
    [
        "He is sixty-two and has had a fever and a productive cough for three days.",
        "Any chest pain or haemoptysis? No chest pain and no hemoptysis.",
        "HR 112, BP 98 over 60, sats 91 percent.",
        "Sodium is 128 mmol/L and K 4.1.",
        "The temperature is 102 degrees Fahrenheit.",
        "Crackles at the right base, no oedema.",
        "The X-ray shows consolidation of the right lower lobe.",
        "He takes metformin 0.5 g two times a day.",
        "White cells 17,200 /µL.",
        "Good morning, everyone. I will look at the chart before the round; let me know if anything changes.",
    ],
)
def test_what_the_text_says_passes(source: Source, said: str) -> None:
    assert list(check_text(said, source)) == []


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Sodium is 138.", '"138" is not in the text'),
        ("Metformin 500 g.", '"500 g" is not in the text'),
        ("Metformin 500 mL.", '"500 mL" is not in the text'),
        ("Temperature 38.9 F.", "is not in the text"),
        ("Potassium is 128.", '"128" is potassium here, but sodium in the text'),
        ("BP 112/60.", 'the pair "112/60" is not in the text'),
        ("He has chest pain.", '"chest pain" is denied in the text'),
        ("He has no fever.", '"fever" is affirmed in the text'),
        ("There is peripheral edema.", '"peripheral edema" is denied in the text'),
        ("Fever was absent.", '"fever" is affirmed in the text'),
        ("Crackles at the left base.", '"left ... base" is not in the text'),
        ("He also takes warfarin.", '"warfarin" is not in the text'),
        ("He is vomiting.", '"vomiting" is not in the text'),
        ("It may be cholangitis.", '"cholangitis" is not in the text'),
        ("He has had it for four days.", '"4 days" is not in the text'),
        ("CA-125 was raised.", '"CA-125" is not in the text'),
    ],
)
def test_what_the_text_does_not_say_is_caught(source: Source, said: str, problem: str) -> None:
    assert any(problem in found for found in check_text(said, source)), list(check_text(said, source))


def test_quantities_are_compared_in_base_units() -> None:
    def one(text: str) -> str:
        (found,) = quantities(text)
        return f"{found.dimension} {found.base_value:g}"

    assert one("500 mg") == one("0.5 g") == one("500 milligrams")
    assert one("7,500 /µL") == one("7.5 x10^9/L")
    assert one("two weeks") == one("14 days")
    assert one("88 beats per minute") == one("88 bpm") == one("88/min")
    assert quantity(98.6, "°F").equals(quantity(37, "°C"))
    assert not quantity(5, "mg").equals(quantity(5, "mL"))
    assert quantity(5, None).equals(quantity(5, "mL"))
    assert pairs("120 / 80 and 130 over 90, not 1/2/2024") == ["120/80", "130/90"]
    assert names_with_numbers("HbA1c, L5-S1 and 7500 /mm3 at 10 cmH2O") == ["HbA1c", "L5", "S1"]


def test_stems_join_inflections_and_spellings() -> None:
    for one, other in [
        ("nodes", "node"),
        ("haemorrhages", "hemorrhage"),
        ("tenderness", "tender"),
        ("coughing", "cough"),
    ]:
        assert stem(one) == stem(other)
    assert stem("pelvis") != stem("pelv")


def fact(**changes: object) -> dict[str, object]:
    return {
        "kind": "lab", "name": "Sodium", "text": "Sodium 128 mmol/L", "value": 128.0, "unit": "mmol/L",
        "reference_low": 133.0, "reference_high": 146.0, "time": None,
        "quote": "Sodium 128 mmol/L (reference 133-146)", **changes,
    }  # fmt: skip


def draft(*facts: dict[str, object], **changes: object) -> CaseDraft:
    return CaseDraft.model_validate(
        {
            "specialty": "pulmonology", "sex": "male", "diagnosis": "Community-acquired pneumonia",
            "age": {"number": 62, "unit": "year", "quote": "A 62-year-old man"},
            "facts": list(facts) or [fact()], "differential": [], "management": [], **changes,
        }
    )  # fmt: skip


def test_a_case_that_the_text_bears_out_passes(source: Source) -> None:
    assert check_case(draft(), source) == []


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (draft(fact(quote="Sodium was 128")), "does not stand in the text word for word"),
        (draft(fact(value=138.0)), "value 138 mmol/L is not in its quote"),
        (draft(fact(unit="g/L")), "value 128 g/L is not in its quote"),
        (draft(fact(value="low")), "value 'low' is not in its quote"),
        (draft(fact(reference_low=135.0)), "reference_low 135 is not in the text"),
        (draft(fact(text="Hyponatraemia 128 mmol/L")), '"hyponatraemia" is not in the text'),
        (draft(fact(time={"number": 3, "unit": "day", "direction": "before"})), "time: 3 day is not in its quote"),
        (draft(age={"number": 26, "unit": "year", "quote": "A 62-year-old man"}), "age: 26 year is not in its quote"),
        (draft(age={"number": 62, "unit": "month", "quote": "A 62-year-old man"}), "age: 62 month is not in its quote"),
        (draft(sex="female"), "sex: the text says male"),
        (draft(diagnosis="Pulmonary embolism"), '"embolism" is not in the text'),
        (draft(management=["give meropenem"]), '"meropenem" is not in the text'),
        (draft(facts=[]), "the list is empty"),
    ],
)
def test_a_case_that_the_text_does_not_bear_out_is_caught(source: Source, found: CaseDraft, problem: str) -> None:
    assert any(problem in said for said in check_case(found, source)), check_case(found, source)


def test_scenes_are_checked_turn_by_turn(source: Source) -> None:
    good = TurnDraft(speaker="Dr Lund", role="attending", text="His temperature is 38.9 °C.")
    bad = TurnDraft(speaker="Nurse 7", role="nurse", text="His pulse is 38.9.")
    assert check_scene(SceneDraft(turns=[good, good]), source) == []
    assert check_scene(SceneDraft(turns=[good]), source) == ["turns: 1 are too few"]
    assert check_scene(SceneDraft(turns=[good, bad]), source) == [
        'turns.1: "38.9" is heart rate here, but temperature in the text',
        "turns.1: the speaker's name has a number",
    ]


def test_schemas_leave_nothing_optional_and_nothing_open() -> None:
    def objects(node: object) -> list[dict[str, object]]:
        if isinstance(node, dict):
            return [*([node] if node.get("type") == "object" else []), *(o for v in node.values() for o in objects(v))]
        return [o for v in node for o in objects(v)] if isinstance(node, list) else []

    for kind in (CaseDraft, SceneDraft):
        found = objects(schema_of(kind))
        assert len(found) >= 2
        for node in found:
            assert node["additionalProperties"] is False
            assert set(node["required"]) == set(node["properties"])  # type: ignore[call-overload]


def test_texts_are_cut_at_the_best_places() -> None:
    text = "One. Two.\n\nThree three three.\n\nFour."
    assert parts(text, 1000) == [text]
    assert "".join(parts(text, 7)).split() == text.split()
    assert all(tokens(part) <= 7 for part in parts(text, 7))
    assert parts(text, 7)[0].strip() == "One. Two."
    assert [len(part) for part in parts("x" * 10, 2)] == [6, 4]
