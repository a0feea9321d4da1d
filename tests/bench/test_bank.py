"""The shipped case bank is consistent, and every rule that says so notices a planted error."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bank_check import check_bank
from changed_bank import findings_of
from pydantic import ValidationError

from bsft.bench.bank.load import Bank, load_bank
from bsft.bench.bank.reference_schema import Allergen, Interchangeable, Related
from bsft.records.errors import BadInput

PNEUMONIA = "community_acquired_pneumonia"


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_bank()


@pytest.fixture
def root(tmp_path: Path, bank: Bank) -> Path:
    """A copy of the bank's directory with one condition."""
    shipped = Path(__file__).parents[2] / "bsft" / "bench" / "bank"
    shutil.copytree(shipped / "reference", tmp_path / "reference")
    (tmp_path / "conditions" / "pulmonology").mkdir(parents=True)
    shutil.copy(condition_file(shipped), condition_file(tmp_path))
    return tmp_path


def condition_file(root: Path) -> Path:
    return root / "conditions" / "pulmonology" / f"{PNEUMONIA}.yaml"


def pneumonia(bank: Bank, **changes: Any) -> list[str]:
    """Findings of a bank in which the pneumonia is changed."""
    return findings_of(bank, PNEUMONIA, **changes)


def test_the_shipped_bank_has_no_findings(bank: Bank) -> None:
    assert check_bank(bank) == []


def test_the_shipped_bank_is_sorted_and_covers_its_specialties(bank: Bank) -> None:
    assert list(bank.conditions) == sorted(bank.conditions)
    assert len(bank.conditions) >= 96
    assert len({condition.specialty for condition in bank.conditions.values()}) >= 12
    controls = [name for name, allergen in bank.allergens.items() if not allergen.forbids]
    assert {"latex", "peanuts", "grass pollen"} <= set(controls)


def test_the_bank_is_loaded_once() -> None:
    assert load_bank() is load_bank()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"normal_labs": ["calcium", "magnesium", "tsh", "midichlorians"]}, "unknown analyte 'midichlorians'"),
        ({"vitals": {"mood": [1, 2]}, "labs_fall": []}, "unknown vital 'mood'"),
        (
            {"vitals": {"temperature_c": [38.5, 49]}, "labs_fall": []},
            "temperature_c [38.5, 49] exceeds the plausible [24, 43.5]",
        ),
        (
            {"vitals": {"temperature_c": [37.2, 39]}, "labs_fall": []},
            "temperature_c [37.2, 39] overlaps the reference range [36, 37.5]",
        ),
        (
            {"vitals": {"systolic_bp_mmhg": [70, 90]}, "labs_fall": []},
            "systolic_bp_mmhg [70, 90] lies below the reference range, but is not in labs_fall",
        ),
        (
            {"vitals": {"temperature_c": [38, 39]}, "labs_fall": ["temperature_c"]},
            "temperature_c [38, 39] lies above the reference range, but is in labs_fall",
        ),
        ({"id": "endometriosis"}, "implies sex female, but the population's is any"),
        ({"name": "torsion of the testicle"}, "implies sex male, but the population's is any"),
        (
            {"name": "ectopic pregnancy", "population": {"age_years": [20, 70], "sex": "female"}},
            "implies pregnancy, but the population's age is [20, 70]",
        ),
        ({"specialty": "paediatrics"}, "is paediatric, but the population's age is"),
    ],
)
def test_a_planted_error_is_found(bank: Bank, changes: dict[str, Any], finding: str) -> None:
    assert any(line.startswith(f"{changes.get('id', PNEUMONIA)}: {finding}") for line in pneumonia(bank, **changes))


def test_a_result_of_one_sex_needs_that_sex(bank: Bank) -> None:
    labs = [*bank.conditions[PNEUMONIA].normal_labs, "psa"]
    assert f"{PNEUMONIA}: implies sex male, but the population's is any" in pneumonia(bank, normal_labs=labs)


@pytest.mark.parametrize(
    ("order", "finding"),
    [
        ({"drug": "unobtainium"}, "unknown drug 'unobtainium'"),
        ({"drug": "amoxicillin", "dose": 50}, "amoxicillin 50 g is outside the usual [250, 2000] mg"),
        ({"drug": "amoxicillin", "unit": "drops"}, "amoxicillin is ordered in drops, but its usual dose is in mg"),
        ({"drug": "salbutamol", "unit": "puffs", "dose": 40}, "salbutamol 40 puffs is unusual"),
        ({"drug": "amoxicillin", "dose": 1}, None),
        ({"drug": "salbutamol", "unit": "puffs", "dose": 2}, None),
    ],
)
def test_home_medications_have_known_drugs_and_usual_doses(
    bank: Bank, order: dict[str, Any], finding: str | None
) -> None:
    default = {"dose": 1, "unit": "g", "route": "by mouth", "frequency": "once daily", "treats": "hypertension"}
    findings = pneumonia(bank, medications=[default | order] * 2)
    assert findings == ([] if finding is None else [f"{PNEUMONIA}: {finding}"] * 2)


def test_a_child_may_have_less_than_an_adult_dose_but_never_more(bank: Bank) -> None:
    order = {"drug": "paracetamol", "unit": "mg", "route": "by mouth", "frequency": "once", "treats": "hypertension"}
    child = {"age_years": [2, 5], "sex": "any"}
    for dose, found in ((60, False), (2000, True)):
        findings = pneumonia(bank, population=child, medications=[order | {"dose": dose}] * 2)
        assert any("paracetamol" in finding for finding in findings) is found


def test_treatments_must_not_share_allergy_groups_or_contradict_each_other(bank: Bank) -> None:
    give = {"text": "give co-amoxiclav 1.2 g intravenously", "drugs": ["co-amoxiclav"]}
    order = {"drug": "doxycycline", "dose": 100, "unit": "mg", "route": "by mouth", "frequency": "once", "treats": "it"}
    findings = pneumonia(
        bank,
        first_line=give,
        alternative={"text": "give cefalexin and unobtainium", "drugs": ["cefalexin", "unobtainium"], "dose": order},
        avoid=[give, {"text": "wait", "drugs": []}],
    )
    assert findings == [
        f"{PNEUMONIA}: unknown drug 'unobtainium'",
        f"{PNEUMONIA}: orders 'doxycycline', which the treatment's drugs lack: cefalexin, unobtainium",
        f"{PNEUMONIA}: first_line and alternative share the allergy group 'penicillin'",
        f"{PNEUMONIA}: first_line's 'co-amoxiclav' is also to be avoided",
    ]


def test_references_agree_with_each_other(bank: Bank) -> None:
    sodium = bank.analytes["sodium"].model_copy(update={"plausible": bank.vitals["pain_score"].plausible})
    allergen = Allergen(reactions=["a rash", "a fever", "a fall"], forbids=["moonlight"], common=0.1)
    damaged = replace(bank, conditions={}, analytes={"sodium": sodium}, allergens={"moon": allergen})
    findings = check_bank(damaged)
    assert "sodium: reference [133, 146] exceeds the plausible [0, 10]" in findings
    assert "moonlight: forbidden by an allergen, but no drug has it" in findings
    assert "penicillin: an allergy group of drugs that no allergen forbids" in findings


def test_interchangeable_conditions_must_exist(bank: Bank) -> None:
    related = Related.model_validate({"of": [PNEUMONIA], "with": ["moonlight_fever", PNEUMONIA]})
    assert related.pairs == {frozenset((PNEUMONIA, "moonlight_fever"))}
    damaged = replace(bank, interchangeable=Interchangeable(treatment=[related]))
    assert check_bank(damaged) == ["moonlight_fever: interchangeable with a condition, but no condition itself"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f"id: {PNEUMONIA}", "id: pneumonia", f"field id: found 'pneumonia', allowed: '{PNEUMONIA}', as the path says"),
        (f"id: {PNEUMONIA}", f"id: {PNEUMONIA}\nid: again", "line 2: not valid YAML: repeated key 'id'"),
        (f"id: {PNEUMONIA}", "id: [", "not valid YAML"),
        (f"id: {PNEUMONIA}", f"id: {PNEUMONIA}\nmood: good", "field mood: unknown field"),
        ("specialty: pulmonology", "specialty: ''", "field specialty: found '', allowed: 'pulmonology'"),
    ],
)
def test_a_bad_condition_file_is_refused(root: Path, old: str, new: str, message: str) -> None:
    file = condition_file(root)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput) as error:
        load_bank(root)
    assert str(file) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n- b\n", "found a list, allowed: a mapping"),
        ("pain_score: {name: Pain}\n", "entry 'pain_score': field unit: missing"),
        (
            "pain_score: {name: Pain, unit: x, plausible: [3, 1]}\n",
            "low must not exceed high",
        ),
        ("pain: \x00", "not valid YAML"),
    ],
)
def test_a_bad_reference_file_is_refused(root: Path, content: str, message: str) -> None:
    (root / "reference" / "vitals.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        load_bank(root)


def test_missing_files_are_named(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "reference" / "drugs.yaml").unlink()
    with pytest.raises(BadInput, match=r"drugs\.yaml: no such file"):
        load_bank(root)
    with pytest.raises(BadInput, match="no <specialty>/<condition id>"):
        load_bank(tmp_path_factory.mktemp("empty"))


def test_one_home_medication_must_treat_an_entry_of_the_history(bank: Bank) -> None:
    medications = [m.model_dump() | {"treats": "curiosity"} for m in bank.conditions[PNEUMONIA].medications]
    with pytest.raises(ValidationError, match="no home medication treats an entry of the history"):
        pneumonia(bank, medications=medications)
