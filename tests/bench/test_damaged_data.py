"""Benchmarks, cases and notes that are damaged or say something twice: refused with one sentence, or left out and
counted; nothing is changed without a word."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_files import CASE, LINE, MAPPING, osce, write_medec
from note_files import pair, write
from small import write_small
from store_lines import records, write_lines
from story_cases import case

from bsft.bench.build import BuildSpec, build
from bsft.bench.recorded.make import make_items
from bsft.cli import main
from bsft.importing.agentclinic import import_agentclinic
from bsft.importing.mederrbench import SOURCE_FILES, import_mederrbench
from bsft.importing.report import ImportReport
from bsft.importing.writer.endpoint import Completion, CompletionCache
from bsft.records.errors import BadInput
from bsft.records.store import open_benchmark

DAMAGED_LINES = {
    b"{": "not valid JSON",
    b"[" * 100_000: "nested more than 200 deep",
    b'{"n": ' + b"9" * 5000 + b"}": "a number of more than 4,300 digits",
    b'{"id": 1, "id": 2}': 'repeated key "id"',
    b'{"id": NaN}': "found nan, allowed: a finite number",
    b'{"id": "\\ud800"}': "half a surrogate pair",
    b'{"id": "caf\xe9"}': "which is not UTF-8",
    b"[1]": "found [1]",
    b"null": "found None",
    b'"text"': "found 'text'",
}
"""Line -> what is said of it, where all readers say the same."""


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must end with exit status 2 complains of: one line."""
    assert main([*map(str, arguments)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


# --- items ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", DAMAGED_LINES)
def test_a_damaged_item_is_named(tmp_path: Path, line: bytes) -> None:
    file = write_lines(tmp_path / "items.jsonl", records(1))
    file.write_bytes(file.read_bytes() + line)
    with pytest.raises(BadInput) as error:
        open_benchmark(file)
    assert str(error.value).startswith(f"{file}: line 5: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [(line, said) for line, said in DAMAGED_LINES.items() if line.startswith(b'{"') or len(line) > 9],
)
def test_a_damaged_line_is_the_same_for_all_importers_and_can_be_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes, said: str
) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    for format_, good in (("agentclinic", osce()), ("cases", CASE), ("items", LINE)):
        source, output = tmp_path / f"{format_}.jsonl", tmp_path / format_
        source.write_bytes(b"\xef\xbb\xbf" + line + b"\n" + json.dumps(good).encode())
        more = [f"--mapping={mapping}"] if format_ == "items" else []
        complaint = run(capsys, "import", format_, source, f"--output={output}", *more)
        assert complaint.startswith(f"bsft import: {source}: line 1: ") and said in complaint
        assert main(["import", format_, str(source), f"--output={output}", *more, "--drop-invalid"]) == 0
        report = json.loads((output / "import_report.json").read_text(encoding="utf-8"))
        assert (report["read"], list(report["written"].values())) == (2, [1])
        assert [said in sentence for sentence in report["dropped"]] == [True]
        capsys.readouterr()


def test_a_case_that_an_item_puts_into_another_split_is_dropped_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    lines = [LINE, {**LINE, "uid": 8, "subset": "dev"}]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    command = ["import", "items", str(tmp_path / "items.jsonl"), f"--output={tmp_path / 'out'}"]
    command.append(f"--mapping={tmp_path / 'mapping.yaml'}")
    assert "case '123' is in split 'test' and in 'val'" in run(capsys, *command)
    assert main([*command, "--drop-invalid"]) == 0
    assert open_benchmark(tmp_path / "out").splits == ["test"]


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", records(2))
    marked = tmp_path / "marked.jsonl"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert list(open_benchmark(marked).items("test")) == list(open_benchmark(plain).items("test"))


def test_a_file_that_is_no_regular_one_is_not_waited_for(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    (tmp_path / "small" / "test.jsonl").unlink()
    os.mkfifo(tmp_path / "small" / "test.jsonl")
    with pytest.raises(BadInput, match=r"test\.jsonl: not a regular file"):
        open_benchmark(tmp_path / "small")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda manifest: manifest["counts"]["lab_interpretation"]["test"].update(low=4),
            "task 'lab_interpretation', split 'test', label 'low': found 3 items in the files, expected 4",
        ),
        (
            lambda manifest: manifest["counts"]["lab_interpretation"]["test"].pop("low"),
            "label 'low': found 3 items in the files, expected 0",
        ),
        (
            lambda manifest: manifest["counts"].update(absent={"val": {"x": 1}}),
            "task 'absent', split 'val', label 'x': found 0 items in the files, expected 1",
        ),
        (
            lambda manifest: manifest["tasks"].append(manifest["tasks"][0]),
            "field tasks: found 'lab_interpretation' more than once",
        ),
    ],
)
def test_a_manifest_that_its_files_contradict_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    write_small(tmp_path / "small")
    file = tmp_path / "small" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BadInput) as error:
        open_benchmark(tmp_path / "small")
    assert str(error.value).startswith(f"{file}: ") and message in str(error.value)


def test_a_manifest_with_a_repeated_key_is_refused(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    file = tmp_path / "small" / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"seed"', '"name": "other", "seed"'), encoding="utf-8")
    with pytest.raises(BadInput, match=r'manifest\.json: repeated key "name" at line 5'):
        open_benchmark(tmp_path / "small")


def test_a_shard_whose_counts_are_damaged_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = BuildSpec(n_cases=10)

    def stop(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bsft.bench.build.write_manifest", stop)
        patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
        with pytest.raises(BadInput, match="build again"):
            build(spec, tmp_path / "out", progress=False)
    sidecars = sorted(tmp_path.glob(".out.*/*.json"))
    for damage, sidecar in zip(("", "{}", '[["a", 1, 2]]', "[" * 100_000), sidecars, strict=False):
        sidecar.write_text(damage, encoding="utf-8")
    assert build(spec, tmp_path / "out", progress=False) == build(spec, tmp_path / "fresh", progress=False)


# --- notes ----------------------------------------------------------------------------------------------------------


def test_medec_as_published_ends_with_blank_rows_which_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = write_medec(tmp_path / "medec")
    [test] = directory.glob("*Test*.csv")
    test.write_text(test.read_text(encoding="utf-8") + "," * 8 + "\n" + ",,,,,,,,\n" * 327, encoding="utf-8")
    assert main(["import", "medec", str(directory), f"--output={tmp_path / 'out'}"]) == 0
    capsys.readouterr()
    report = json.loads((tmp_path / "out" / "import_report.json").read_text(encoding="utf-8"))
    assert report["read"] == 12
    assert f"{test.name}: 328 blank rows left out" in report["dropped"]
    benchmark = open_benchmark(tmp_path / "out")
    assert len(benchmark.items("test")) == 8
    assert f"{test.name}: 328 blank rows left out" in benchmark.manifest.notes


def test_a_repeated_column_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = write_medec(tmp_path / "medec")
    [file] = directory.glob("*Training*.csv")
    header, rest = file.read_text(encoding="utf-8").split("\n", 1)
    file.write_text(f"{header.strip()},Text\n" + rest.replace("\r\n", ",other\r\n"), encoding="utf-8", newline="")
    said = run(capsys, "import", "medec", directory, f"--output={tmp_path / 'out'}")
    assert said == f"bsft import: {file}: row 1: found column 'Text' more than once, allowed: once"


@pytest.mark.parametrize("field", ["Text", "Error Sentence", "Corrected Sentence", "Text ID"])
def test_a_cell_that_says_nan_says_nothing(tmp_path: Path, field: str) -> None:
    rows = {split: pair(split, 0) for split in ("train", "validation", "test")}
    rows["test"][0][field] = "nan"
    with pytest.raises(BadInput, match=f"row 2: field {field}: found nothing, allowed: text"):
        import_mederrbench(write(tmp_path, rows))


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    rows = {split: pair(split, 0) for split in ("train", "validation", "test")}
    rows["test"][0]["Text ID"] = "en-train-0"
    with pytest.raises(BadInput, match=f"found 'en-train-0', which .*{SOURCE_FILES['train']}: row 2 has"):
        import_mederrbench(write(tmp_path, rows))


def test_notes_that_are_alike_through_others_never_cross_a_split(tmp_path: Path) -> None:
    """A is near B in train, and B near C in test: both are left out, and C is as it was."""
    words = " ".join(f"word{i}" for i in range(40))
    stories = {
        "train": [
            "one two three four five six seven eight nine ten eleven twelve {n} " + " ".join(words.split()[:20]),
            " ".join(words.split()[:40]) + " {n}",
            "Alpha beta gamma delta epsilon zeta eta theta iota kappa {n}",
        ],
        "validation": ["Quite other things are said here about a knee that hurts on stairs {n}"],
        "test": [" ".join(words.split()[20:]) + " thirteen fourteen fifteen sixteen seventeen eighteen {n}"],
    }
    rows = {
        split: [row for number, story in enumerate(texts) for row in pair(split, number, story=story)]
        for split, texts in stories.items()
    }
    imported = import_mederrbench(write(tmp_path, rows))
    cases = {split: {item.case_id for item in items} for split, items in imported.items.items()}
    assert cases == {
        "train": {"mederrbench/en-train-4"}, "val": {"mederrbench/en-validation-0"}, "test": {"mederrbench/en-test-0"},
    }  # fmt: skip
    assert len(imported.items["test"]) == 4
    near = [sentence for sentence in imported.report.dropped if sentence.startswith("train: en-train-")]
    assert [("near-duplicate of en-test-0" in said, "alike through other notes" in said) for said in near] == [
        (False, True), (True, False),
    ]  # fmt: skip


# --- cases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -1.0, 1e308])
@pytest.mark.parametrize("name", ["Heart rate", "Systolic blood pressure", "Diastolic blood pressure"])
def test_a_vital_sign_that_nobody_can_have_is_not_read_and_keeps_alerts_away(name: str, value: float) -> None:
    facts = [fact.model_dump() for fact in case("Scurvy").facts]
    for fact in facts:
        if fact["name"] == name:
            fact |= {"value": value, "text": f"{name}: {value:g}"}
    by_split, reasons = make_items({"test": [case("Scurvy", facts=facts)]}, seed=0)
    assert not [item for item in by_split.get("test", []) if item.group == "proactive"]
    assert "the record itself has an impossible value, or a unit unknown for its analyte" in str(reasons.counts)


def test_a_pain_score_of_0_is_a_reading(tmp_path: Path) -> None:
    pain = {
        "id": "pain",
        "kind": "vital",
        "name": "Pain score",
        "text": "Pain score: 0",
        "value": 0.0,
        "unit": "out of 10",
    }
    facts = [*(fact.model_dump() for fact in case("Scurvy").facts), pain]
    by_split, _ = make_items({"test": [case("Scurvy", facts=facts)]}, seed=0)
    assert [item for item in by_split["test"] if item.group == "proactive"]


def test_a_finding_that_is_nan_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = osce(Test_Results={"Blood": {"WBC": "nan", "Hemoglobin": "10.2 g/dL"}, "": "a name of nothing"})
    (tmp_path / "osce.jsonl").write_text(json.dumps(osce()) + "\n" + json.dumps(record), encoding="utf-8")
    command = ["import", "agentclinic", str(tmp_path / "osce.jsonl"), f"--output={tmp_path / 'out'}"]
    assert "line 2: field name: found ''" in run(capsys, *command)
    assert main([*command, "--drop-invalid"]) == 0
    record["OSCE_Examination"]["Test_Results"].pop("")
    (tmp_path / "osce.jsonl").write_text(json.dumps(record), encoding="utf-8")
    assert main(command) == 0
    assert "nan" not in (tmp_path / "out" / "cases.jsonl").read_text(encoding="utf-8").lower().replace("finan", "")


# --- what has been paid for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"text": 1}',
        '{"text": "a", "finish_reason": "stop", "refusal": 3, "prompt_tokens": 1}',
        "[" * 10_000,
    ],
)
def test_a_damaged_reply_is_asked_for_again(tmp_path: Path, damage: str) -> None:
    cache = CompletionCache(tmp_path)
    cache.put("abc", Completion("text", "stop", None, 1, 2))
    assert cache.get("abc") == Completion("text", "stop", None, 1, 2)
    (tmp_path / "ab" / "abc.json").write_text(damage, encoding="utf-8")
    assert cache.get("abc") is None


@pytest.mark.parametrize("output", ["a/file/below", "a/" + "x" * 300])
def test_a_place_that_the_system_refuses_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "cases.jsonl").write_text(json.dumps(CASE), encoding="utf-8")
    said = run(capsys, "import", "cases", tmp_path / "cases.jsonl", f"--output={tmp_path / output}")
    assert said.startswith("bsft import: ") and ("Not a directory" in said or "File name too long" in said)


@pytest.mark.parametrize("run_of", ["[", "a", "!", "9", "normal ", "word ", "a. ", "(", ". 1 A ", "\n "])
def test_long_runs_of_anything_take_no_time(tmp_path: Path, run_of: str) -> None:
    """Texts are taken apart in time that grows with their length, not with its square."""
    text = f"{run_of * (100_000 // len(run_of))}$"
    rows = {split: pair(split, 0) for split in ("train", "validation", "test")}
    for row in rows["test"]:
        row |= {"Text": text if row["Error Flag"] == "1" else f"{text} b", "Corrected Text": "damaged"}
    start_s = time.process_time()
    import_mederrbench(write(tmp_path, rows))
    (tmp_path / "osce.jsonl").write_text(json.dumps(osce(Test_Results={"Blood": {"WBC": text}})), encoding="utf-8")
    import_agentclinic(tmp_path / "osce.jsonl", ImportReport("agentclinic", ""))
    assert time.process_time() - start_s < 10
