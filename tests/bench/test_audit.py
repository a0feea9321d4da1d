"""The audit: each planted defect breaks its own limit, and a clean benchmark breaks none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import planted_defects as planted
import pytest
from planted_defects import N_CASES, TASKS, Benchmark, Plant, clean_benchmark

from bsft.audit.audit import Audit, audit
from bsft.audit.checks import check_naturalness, check_structure, find_duplicates, naturalness
from bsft.audit.corpus import Corpus, Texts, mask_content, read_corpus
from bsft.audit.limits import Limits, Settings
from bsft.audit.probes import category_learner
from bsft.audit.tables import report_of
from bsft.audit.units import Units, twins_of
from bsft.cli import main
from bsft.importing.near_duplicates import shingles
from bsft.records.numerals import mask_numerals
from bsft.records.store import write_benchmark
from bsft.stats.measures import auroc


def corpus_of(benchmark: Benchmark) -> Corpus:
    return read_corpus("planted", {t.name: t for t in TASKS}, [i for items in benchmark.values() for i in items])


def audited(benchmark: Benchmark, *, bound_to_prose: bool = False) -> Audit:
    return audit(corpus_of(benchmark), Settings(n_bootstrap=100, limits=Limits(bound_to_prose=bound_to_prose)))


def broken(found: Audit) -> set[str]:
    """Names of the broken rules, and of the probes that break a limit."""
    rules = {check.name for check in found.checks if check.status == "broken"}
    return rules | {own.probe for own in found.findings if own.status == "broken"}


def value_of(found: Audit, probe: str, where: str) -> float:
    (own,) = [f for f in found.findings if (f.probe, f.where, f.level) == (probe, where, None)]
    return own.estimate.value


def test_what_all_options_of_an_item_begin_with_is_no_options_own_text() -> None:
    """A reply that names the illness tells which kinds of problem are likely, and not which concern is right."""
    shared, telling = clean_benchmark(), clean_benchmark()
    planted.plant_two_kinds(shared)
    planted.plant_two_kinds_and_a_telling_concern(telling)
    assert "option text" not in broken(audited(shared))
    assert "option text" in broken(audited(telling))


def test_clean_benchmark_passes() -> None:
    found = audited(clean_benchmark())
    assert broken(found) == set()
    assert found.passed
    assert not [own for own in found.findings if own.status == "not checked"]
    assert value_of(found, "request and options", "critical/allergy") == 0.5
    assert value_of(found, "twins' style", "critical/allergy") == 0.5


@pytest.mark.parametrize(
    ("plant", "expected", "also"),
    [
        (planted.plant_fingerprint, {"scene style", "twins' style"}, set()),
        (planted.plant_scene_length, {"scene length", "twins' lengths"}, {"scene style", "twins' style"}),
        (planted.plant_blind_cue, {"request and options"}, {"locus"}),
        (
            planted.plant_position,
            {"option position", "commonest position"},
            {"option order", "shortest option", "longest option"},
        ),
        (planted.plant_order, {"option order"}, set()),
        (planted.plant_option_length, {"option length", "longest option"}, {"option text"}),
        (planted.plant_option_text, {"option text"}, {"option order"}),
    ],
)
def test_planted_artefact_breaks_its_limit(plant: Plant, expected: set[str], also: set[str]) -> None:
    benchmark = clean_benchmark()
    plant(benchmark)
    found = broken(audited(benchmark))
    assert expected <= found <= expected | also


def test_the_complaint_is_limited_in_the_own_benchmark_only() -> None:
    benchmark = clean_benchmark()
    planted.plant_complaint(benchmark)
    assert value_of(audited(benchmark), "complaint line", "answer") > 0.9
    assert "complaint line" not in broken(audited(benchmark))
    assert "complaint line" in broken(audited(benchmark, bound_to_prose=True))


def test_content_is_reported_and_its_control_beside_it() -> None:
    """A number that only problems have is found; the controls have it, too, and are not told from them by it."""
    benchmark = clean_benchmark()
    planted.plant_number(benchmark)
    found = audited(benchmark)
    assert broken(found) == set()
    assert value_of(found, "words and numbers", "critical/allergy") > 0.9
    assert value_of(found, "words", "critical/allergy") < 0.7
    # the number weighs a little less in the longer scene of the control
    assert value_of(found, "against controls", "critical/allergy") < 0.8
    assert value_of(found, "against controls, fitted", "critical/allergy") > 0.9


def test_a_broken_limit_is_a_sentence() -> None:
    benchmark = clean_benchmark()
    planted.plant_option_length(benchmark)
    found = audited(benchmark)
    report = report_of(found)
    (message,) = [m for m in report.broken if m.startswith("option length")]
    assert re.match(r"option length of answer, all levels: AUROC 1\.000 \[1\.000, 1\.000\] on 640 units", message)
    assert message.endswith(f"over {found.n_comparisons} comparisons, exceeds 0.55.".rstrip("."))


def test_naturalness_by_hand() -> None:
    """Two scenes of nine tokens that share all but the last: 7 of 12 4-grams differ, 2 of 4 8-grams are shared."""
    turns = ["a b c d e f g h i", "a b c d e f g h j"]
    items = [
        item.model_copy(update={"turns": [item.turns[0].model_copy(update={"text": text})], "case_id": text})
        for item, text in zip(planted.case_items(0, "train")[:2], turns, strict=True)
    ]
    found = naturalness(read_corpus("two", {t.name: t for t in TASKS}, items))
    assert (found.distinct_4, found.repeated_8, found.asking) == (7 / 12, 0.5, 0.0)
    statuses = {check.status for check in check_naturalness(found, Limits(bound_to_prose=True))}
    assert statuses == {"broken"}
    assert {check.status for check in check_naturalness(found, Limits())} == {"reported"}


def test_style_is_what_is_left_without_content() -> None:
    assert mask_content("The side is left. aspirin 75 mg, please") == "X is x. x, please"
    assert mask_content("a line in the arm") == mask_content("two plasters on the leg") == "x"
    assert mask_content("pH was 7.2;  who asked?") == "X was x;  who x?"


@pytest.mark.parametrize(
    ("plant", "rule", "reason"),
    [
        (planted.plant_missing_twin, "twins", "110/alert/perturbed has no twin"),
        (
            planted.plant_other_edit,
            "locus",
            "0/alert/perturbed and its twin 0/alert/clean differ in turns [0, 1], not 1",
        ),
        (
            planted.plant_other_options,
            "locus",
            "0/alert/perturbed and its twin 0/alert/clean have different questions or options",
        ),
        (planted.plant_wrong_gold, "gold", "0/alert/clean is clean and determinable, gold is flag_dose"),
        (planted.plant_no_flag_option, "flag options", "0/answer has no option that raises a concern"),
    ],
)
def test_planted_damage_breaks_its_rule(plant: Plant, rule: str, reason: str) -> None:
    benchmark = clean_benchmark()
    plant(benchmark)
    checks = {check.name: check for check in check_structure(corpus_of(benchmark))}
    assert {name for name, check in checks.items() if check.status == "broken"} == {rule}
    assert checks[rule].found.endswith(reason)


def test_duplicate_across_splits_is_found() -> None:
    benchmark = clean_benchmark()
    assert find_duplicates(corpus_of(benchmark), 0.9) == []
    planted.plant_duplicate(benchmark)
    (found,) = find_duplicates(corpus_of(benchmark), 0.9)
    assert (found.first, found.second) == ("0/alert/perturbed", "110/answer")
    assert (found.first_split, found.second_split, found.jaccard, found.exact) == ("train", "test", 1.0, True)


def test_shingles_ignore_case_and_numerals() -> None:
    assert shingles(mask_numerals("Na 140, K 4.2"), 3) == shingles("na 0 k 0", 3) == {"na 0 k", "0 k 0"}
    assert shingles("Yes.", 3) == {"yes"}
    assert mask_numerals("BP 120/80 at 14:25, 1,250 mg") == "BP 0 at 0, 0 mg"


def test_counts_of_a_scene_are_those_of_its_turns() -> None:
    texts = Texts(["Nurse", "a cat. A cat", "unused"], [(0, 1), (1,)], "words and numbers")
    both, nurse, twice = texts.counts([(0, 1), (0,), (1, 1)]).toarray()
    assert sorted(both.tolist()) == [1] * 8 + [2]
    assert nurse.sum() == 1
    assert (twice == 2 * (both - nurse)).all()


def test_no_case_is_fitted_and_evaluated() -> None:
    """A feature that names the case tells everything about it to a probe that has seen it, and nothing otherwise."""
    rows = corpus_of(clean_benchmark()).rows
    positive = np.array([int(row.case_id.split()[1]) % 2 == 0 for row in rows])
    units = Units("alert", None, rows, positive, Settings())
    scores = units.scores(category_learner, np.array([[row.case_id] for row in rows]))
    assert auroc(scores, positive) < 0.6


def test_few_cases_are_drawn_whole() -> None:
    ((units, pairs),) = twins_of(corpus_of(clean_benchmark()), Settings(max_cases=20))
    assert len(pairs) == len(set(units.cases)) == 20
    assert len(units.rows) == 40


def write(directory: Path, benchmark: Benchmark) -> Path:
    write_benchmark(directory, benchmark, TASKS, name="planted", version="1", seed=0, licence="Apache-2.0")
    return directory


def run(*arguments: object) -> int:
    return main(["audit", *map(str, arguments)])


def test_command_writes_its_files_and_fails_for_a_defect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = clean_benchmark()
    quick = ("--n-bootstrap=20", "--max-cases=15")
    assert run(write(tmp_path / "clean", benchmark), f"--output={tmp_path / 'a'}", *quick) == 0
    assert "Passed: " in capsys.readouterr().out
    planted.plant_fingerprint(benchmark)
    planted.plant_duplicate(benchmark)
    assert run(write(tmp_path / "bad", benchmark), f"--output={tmp_path / 'b'}", *quick) == 1
    assert "Failed: " in capsys.readouterr().out
    record = json.loads((tmp_path / "b" / "audit.json").read_text())
    assert record["passed"] is False
    assert record["benchmark"]["n_items"] == 3 * N_CASES
    assert [check["name"] for check in record["checks"] if check["status"] == "broken"] == ["duplicates"]
    assert "110/answer" in (tmp_path / "b" / "audit.md").read_text()
    assert (tmp_path / "b" / "audit.csv").read_text().count("\n") == 1 + len(record["findings"])
    page = (tmp_path / "b" / "audit.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 3
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert run(tmp_path / "bad", f"--output={tmp_path / 'b'}", *quick, "--json") == 1
    assert json.loads(capsys.readouterr().out)["findings"] == record["findings"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or directory"),
        (["nowhere", "--max-case=5"], "unknown option: --max-case. Did you mean --max-cases?"),
        (["nowhere", "--seed=x"], 'invalid value for --seed: unable to convert "x" into int.'),
        (["nowhere", "--max-cases=1"], 'invalid value "1" for --max-cases. Must be >= 10.'),
        (["nowhere", "--mederrbench=there"], "give either PATH or --mederrbench DIR"),
        (["--output=here"], "give either PATH"),
        (["nowhere", "seed=1"], "found 'seed=1', allowed: options, as in --seed 1."),
    ],
)
def test_bad_input_is_one_sentence(arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run("--help") == 0
    told = capsys.readouterr().out
    assert "Usage: bsft audit [OPTIONS]" in told and "[default: 600]" in told


def test_audit_needs_no_torch() -> None:
    code = "import sys, bsft.commands.audit as c; sys.exit('torch' in sys.modules or not c)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif("BSFT_MEDERRBENCH" not in os.environ, reason="BSFT_MEDERRBENCH names no MedErrBench-EN")
def test_mederrbench_as_published_has_its_fingerprint(tmp_path: Path) -> None:
    """A sentence that begins in lower case marks clean notes; the importer's repair removes it."""
    values = {}
    for normalise in ("false", "true"):
        source = f"--mederrbench={os.environ['BSFT_MEDERRBENCH']}"
        output = tmp_path / normalise
        run(source, f"--normalise-case={normalise}", f"--output={output}", "--n-bootstrap=50")
        findings = json.loads((output / "audit.json").read_text())["findings"]
        values[normalise] = max(f["estimate"]["value"] for f in findings if f["probe"] == "scene style")
    assert values["false"] > 0.75
    assert values["true"] < 0.65
