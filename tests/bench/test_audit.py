"""The audit: each planted defect breaks its own limit, and a clean benchmark breaks none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import planted_defects as planted
import pytest
from planted_defects import N_CASES, TASKS, Benchmark, Plant, clean_benchmark

from bsft.audit.audit import Audit, audit
from bsft.audit.corpus import Corpus, read_corpus
from bsft.audit.duplicates import find_duplicates
from bsft.audit.folds import choose_design
from bsft.audit.limits import Limits, Settings
from bsft.audit.structure import check_structure
from bsft.audit.texts import Texts, mask_numerals
from bsft.cli import main
from bsft.importing.near_duplicates import shingles
from bsft.records.store import write_benchmark


def corpus_of(benchmark: Benchmark) -> Corpus:
    return read_corpus("planted", {t.name: t for t in TASKS}, [i for items in benchmark.values() for i in items])


def audited(benchmark: Benchmark) -> Audit:
    return audit(corpus_of(benchmark), Settings(n_bootstrap=60, limits=Limits(min_pairs=100)))


def broken(found: Audit) -> set[str]:
    """Names of the broken checks; of probes and policies, what they look at."""
    names = set()
    for check in found.checks:
        if check.status == "broken":
            match = re.search(r" from (.+?):|^([a-z ]+):", check.message)
            assert match is not None
            names.add((match[1] or match[2]) if check.name in ("probe", "policy") else check.name)
    return names


def test_clean_benchmark_passes() -> None:
    found = audited(clean_benchmark())
    assert broken(found) == set()
    assert found.passed
    assert not [check for check in found.checks if check.status == "not checked"]
    question = [p for p in found.probes if p.name == "question" and p.binding]
    assert [p.estimate.value for p in question] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("plant", "expected", "also"),
    [
        (planted.plant_fingerprint, {"scene, words", "scene, characters"}, set()),
        (planted.plant_scene_length, {"lengths"}, {"scene, words", "scene, characters"}),
        (
            planted.plant_position,
            {"option position"},
            {"majority", "commonest position", "never flag", "shortest option", "longest option"},
        ),
        (planted.plant_option_length, {"option length"}, {"longest option"}),
        (
            planted.plant_easy_policy,
            {"never flag"},
            {"majority", "random", "commonest position", "shortest option", "longest option"},
        ),
    ],
)
def test_planted_shortcut_breaks_its_limit(plant: Plant, expected: set[str], also: set[str]) -> None:
    benchmark = clean_benchmark()
    plant(benchmark)
    found = broken(audited(benchmark))
    assert expected <= found <= expected | also


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
        (planted.plant_option_ratio, "option length", "5/answer has options of 12 to 24 characters"),
        (planted.plant_no_flag_option, "flag options", "0/answer has no option that raises a concern"),
    ],
)
def test_planted_damage_breaks_its_rule(plant: Plant, rule: str, reason: str) -> None:
    benchmark = clean_benchmark()
    plant(benchmark)
    checks = {check.name: check for check in check_structure(corpus_of(benchmark), Limits())}
    assert {name for name, check in checks.items() if check.status == "broken"} == {rule}
    assert checks[rule].message.endswith(reason)


def test_duplicate_across_splits_is_found() -> None:
    benchmark = clean_benchmark()
    assert find_duplicates(corpus_of(benchmark), 0.9, lambda n: None) == []
    planted.plant_duplicate(benchmark)
    (found,) = find_duplicates(corpus_of(benchmark), 0.9, lambda n: None)
    assert (found.first, found.second) == ("0/alert/perturbed", "110/answer")
    assert (found.first_split, found.second_split, found.jaccard, found.exact) == ("train", "test", 1.0, True)


def test_shingles_ignore_case_and_numerals() -> None:
    assert shingles(mask_numerals("Na 140, K 4.2"), 3) == shingles("na 0 k 0", 3) == {"na 0 k", "0 k 0"}
    assert shingles("Yes.", 3) == {"yes"}
    assert mask_numerals("BP 120/80 at 14:25, 1,250 mg") == "BP 0 at 0, 0 mg"


def test_counts_of_a_scene_are_those_of_its_turns() -> None:
    texts = Texts(["Nurse", "a cat. A cat", "unused"], [(0, 1), (1,)], "shown", "words")
    first, second = texts.counts([(0, 1), (1, 1)]).toarray()
    counted = dict(zip(texts.features, first.tolist(), strict=True))
    assert counted == {"Nurse": 1, "a": 1, "A": 1, "cat": 2, ".": 1, "a cat": 1, "cat .": 1, ". A": 1, "A cat": 1}
    assert dict(zip(texts.features, second.tolist(), strict=True))["cat"] == 4


def test_no_case_is_fitted_and_evaluated() -> None:
    splits, cases = ["train"] * 30 + ["test"] * 10, [str(i // 2) for i in range(40)]
    small = choose_design(splits, cases, min_test_units=11)
    large = choose_design(splits, cases, min_test_units=10)
    assert small is not None and large is not None
    assert sorted(i for _, held in small.folds for i in held) == list(range(40))
    for fit, held in small.folds:
        assert not {cases[i] for i in fit} & {cases[i] for i in held}
    assert [(list(fit), list(held)) for fit, held in large.folds] == [(list(range(30)), list(range(30, 40)))]
    assert choose_design(["train"] * 3, ["one"] * 3, 1) is None


def test_sample_keeps_cases_whole() -> None:
    sampled = corpus_of(clean_benchmark()).sampled(20, seed=0)
    assert len(sampled.cases) == 40
    assert len(sampled.rows) == 3 * 40
    assert len(sampled.pairs("alert")) == 40


def write(directory: Path, benchmark: Benchmark) -> Path:
    write_benchmark(directory, benchmark, TASKS, name="planted", version="1", seed=0, licence="Apache-2.0")
    return directory


def run(*arguments: object) -> int:
    return main(["audit", *map(str, arguments)])


def test_command_writes_its_files_and_fails_for_a_defect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = clean_benchmark()
    quick = ("--n-bootstrap=20", "--max-pairs=15", "--min-pairs=1000")
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
    page = (tmp_path / "b" / "audit.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 3
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or directory"),
        (["nowhere", "--max-pair=5"], "unknown option: --max-pair. Did you mean --max-pairs?"),
        (["nowhere", "--seed=x"], 'invalid value for --seed: unable to convert "x" into int.'),
        (["nowhere", "--max-pairs=1"], 'invalid value "1" for --max-pairs. Must be >= 10.'),
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
    assert "Usage: bsft audit [OPTIONS]" in told and "[default: 2000]" in told


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
        run(source, f"--normalise-case={normalise}", f"--output={output}", "--n-bootstrap=50", "--min-pairs=100")
        probes = json.loads((output / "audit.json").read_text())["probes"]
        values[normalise] = next(
            p for p in probes
            if (p["task"], p["name"], p["numerals"]) == ("error_detection", "scene, characters", "masked")
            and p["asks"].startswith("does this twin")
        )  # fmt: skip
    assert values["false"]["estimate"]["low"] > 0.75
    assert [f["name"] for f in values["false"]["features"] if f["weight"] < 0 and re.match(r"\. [a-z]", f["name"])]
    assert values["true"]["estimate"]["value"] < 0.65
