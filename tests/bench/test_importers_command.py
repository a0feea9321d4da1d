"""`bsft import` from end to end: directories, reports, exit statuses and messages; MEDEC and cases beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_files import CASE, LINE, MAPPING, MEDEC_FILES, osce, write_medec

from bsft.cli import main
from bsft.importing.mederrbench import import_medec
from bsft.records.errors import BadInput
from bsft.records.schema import Case
from bsft.records.store import open_benchmark


def write_lines(file: Path, *lines: object) -> Path:
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["import", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_agentclinic_then_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lines(tmp_path / "osce.jsonl", osce(), osce(Correct_Diagnosis=""))
    first, second = tmp_path / "out" / "first", tmp_path / "second"
    status, out, err = run(capsys, "agentclinic", source, f"--output={first}", "--drop-invalid")
    assert (status, err) == (0, "")
    assert "cases.jsonl" in out
    report = json.loads((first / "import_report.json").read_text(encoding="utf-8"))
    assert (report["read"], report["written"]) == (2, {"cases.jsonl": 1})
    assert "line 2" in report["dropped"][0]
    assert run(capsys, "cases", first / "cases.jsonl", f"--output={second}")[0] == 0
    assert (second / "cases.jsonl").read_bytes() == (first / "cases.jsonl").read_bytes()
    assert Case.model_validate_json((second / "cases.jsonl").read_text(encoding="utf-8")).id == "agentclinic-0001"
    # An import may be repeated in place; anything else is not overwritten.
    assert run(capsys, "cases", first / "cases.jsonl", f"--output={second}")[0] == 0
    status, _, err = run(capsys, "cases", first / "cases.jsonl", f"--output={tmp_path}")
    assert (status, "exists and is not" in err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "line 2: field id"),
        ({"colour": 1}, "line 2: field colour: unknown field"),
        ({"demographics": {"age_years": 40, "sex": "x"}}, "line 2: field demographics.sex: found 'x'"),
        ({"facts": [CASE["facts"][0], CASE["facts"][0]]}, "fact ids must be unique"),
        ({"id": "c1"}, "line 2: field id: found 'c1', which "),
        ({"facts": [{**CASE["facts"][0], "reference_high": 1.0}]}, "field facts.0.reference_low: found 3.5"),
        ({"facts": [{**CASE["facts"][0], "value": float("nan")}]}, "field facts.0.value: found nan"),
    ],
)
def test_a_wrong_case_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    source = write_lines(tmp_path / "cases.jsonl", CASE, {**CASE, "id": "c2", **changes})
    status, _, err = run(capsys, "cases", source, f"--output={tmp_path / 'out'}")
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    assert run(capsys, "cases", source, f"--output={tmp_path / 'out'}", "--drop-invalid")[0] == 0


def test_files_that_are_no_jsonl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "caf\xe9"}\n')
    (tmp_path / "broken.jsonl").write_text("{", encoding="utf-8")
    for name, message in {
        "empty.jsonl": "is empty", "latin.jsonl": "line 1: byte 12 is 0xe9, which is not UTF-8",
        "broken.jsonl": "line 1: not valid JSON", "none.jsonl": "no such file", ".": "is a directory",
    }.items():  # fmt: skip
        status, _, err = run(capsys, "cases", tmp_path / name, f"--output={tmp_path / 'out'}")
        assert (status, message in err) == (2, True), err


def test_items_become_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    source = write_lines(tmp_path / "items.jsonl", LINE)
    status, _, err = run(capsys, "items", source, f"--output={tmp_path / 'out'}", f"--mapping={mapping}", "--version=7")
    assert (status, err) == (0, "")
    benchmark = open_benchmark(tmp_path / "out")
    assert (benchmark.manifest.name, benchmark.manifest.version, benchmark.manifest.licence) == (
        "other-bench", "7", "CC-BY-4.0",
    )  # fmt: skip
    assert [item.id for item in benchmark.items("test")] == ["7"]
    assert (tmp_path / "out" / "import_report.json").exists()


def test_medec_becomes_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = write_medec(tmp_path / "medec")
    status, _, err = run(capsys, "medec", directory, f"--output={tmp_path / 'out'}")
    assert (status, err) == (0, "")
    items = list(open_benchmark(tmp_path / "out").items("test"))
    assert all(item.id.startswith("medec/") and item.case_id.startswith("medec/") for item in items)
    assert {item.label for item in items if item.task == "error_detection"} == {"flag", "no_flag"}


def test_a_wrong_medec_file_is_named_as_it_is(tmp_path: Path) -> None:
    directory = write_medec(tmp_path / "medec", **{"Error Type": "typo"})
    with pytest.raises(BadInput, match=f"{MEDEC_FILES['test']}: row 2: field Error Type: found 'typo'"):
        import_medec(directory)
    (directory / MEDEC_FILES["test"]).unlink()
    with pytest.raises(BadInput, match=r"allowed: one file named \*test\*ErrorType.csv for test"):
        import_medec(directory)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "x"], 'unknown command "nope". Available commands: agentclinic, cases, mederrbench, medec, items'),
        (["cases"], "parameter SOURCE requires an argument."),
        (["cases", "--output=x"], "parameter SOURCE requires an argument."),
        (["cases", "x"], "parameter --output requires an argument."),
        (["cases", "x", "--outptu=y"], "Did you mean --output instead of --outptu=y?"),
        (["cases", "x", "y", "--output=z"], "found 'y', allowed: options"),
        (["cases", "x", "--output=y", "--drop-invalid=maybe"], 'unable to convert "maybe" into bool.'),
        (
            ["agentclinic", "x", "--output=y", "--unstated-sex=mal"],
            '"drop". Did you mean "male"?',
        ),
        (["medec", "x", "--output=y", "--seed=one"], 'invalid value for --seed: unable to convert "one" into int.'),
        (["items", "x", "--output=y", "--mapping=nowhere.yaml"], "nowhere.yaml: no such file; give --mapping FILE"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, told, _ = run(capsys, "--help")
    assert status == 0 and run(capsys)[:2] == (status, told)
    for name in ("agentclinic", "cases", "mederrbench", "medec", "items", "text"):
        assert f"\n│ {name}" in told
        assert f"Usage: bsft import {name} --output PATH" in run(capsys, name, "--help")[1]


def test_json_is_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = write_lines(tmp_path / "cases.jsonl", CASE), tmp_path / "out"
    status, out, err = run(capsys, "cases", source, "--output", output, "--json")
    assert (status, err) == (0, "")
    report = json.loads((output / "import_report.json").read_text(encoding="utf-8"))
    assert json.loads(out) == {"path": str(output), **report}
