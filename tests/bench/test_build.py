"""Building: byte identity, resuming, refusing, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bsft.bench import build as build_module
from bsft.bench.build import BuildSpec, Shard, build, identity, plan_shards
from bsft.cli import main
from bsft.records.errors import BadInput
from bsft.records.store import open_benchmark

SPEC = BuildSpec(n_cases=12, seed=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("built") / "bench"
    build(SPEC, output, progress=False)
    return output


def test_a_built_benchmark_opens_and_has_all_splits(built: Path) -> None:
    benchmark = open_benchmark(built)
    assert set(benchmark.splits) == {"train", "val", "test", "test_heldout", "hard", "test_noise"}
    assert len(benchmark.tasks) == 13
    counted = sum(
        n for splits in benchmark.manifest.counts.values() for labels in splits.values() for n in labels.values()
    )
    assert sum(1 for split in benchmark.splits for _ in benchmark.items(split)) == counted


def test_the_bytes_do_not_depend_on_the_workers(built: Path, tmp_path: Path) -> None:
    build(SPEC, tmp_path / "two", workers=2, progress=False)
    names = sorted(file.name for file in built.iterdir())
    assert names == sorted(file.name for file in (tmp_path / "two").iterdir())
    for name in names:
        assert (built / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_an_interrupted_build_goes_on_where_it_stopped(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    write = build_module._write_shard

    def failing(spec: BuildSpec, shard: Shard, scratch: Path) -> None:
        if shard.split == "test":
            raise KeyboardInterrupt
        made.append(shard.name)
        write(spec, shard, scratch)

    output = tmp_path / "bench"
    monkeypatch.setattr(build_module, "_write_shard", failing)
    with pytest.raises(KeyboardInterrupt):
        build(SPEC, output, progress=False)
    assert not output.exists() and made
    again: list[str] = []

    def counting(spec: BuildSpec, shard: Shard, scratch: Path) -> None:
        again.append(shard.name)
        write(spec, shard, scratch)

    monkeypatch.setattr(build_module, "_write_shard", counting)
    build(SPEC, output, progress=False)
    assert not set(made) & set(again)
    assert (output / "manifest.json").read_bytes() == (built / "manifest.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]


def test_something_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="exists and is not a benchmark"):
        build(SPEC, tmp_path, progress=False)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_identity_depends_on_the_spec_only() -> None:
    assert identity(SPEC) == identity(BuildSpec(n_cases=12, seed=1))
    others = [BuildSpec(13, 1), BuildSpec(12, 2), BuildSpec(12, 1, heldout=False)]
    assert len({identity(spec) for spec in [SPEC, *others]}) == 4


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(BadInput, match="n_cases: found 3, allowed: 10 to 1000000"):
        BuildSpec(n_cases=3)


def test_shards_cover_every_case_once() -> None:
    shards = plan_shards(BuildSpec(n_cases=1000))
    train = [shard for shard in shards if shard.split == "train"]
    assert [(shard.first, shard.last) for shard in train] == [(0, 200), (200, 400), (400, 600), (600, 670)]


def test_another_seed_gives_other_items(built: Path, tmp_path: Path) -> None:
    build(BuildSpec(n_cases=12, seed=2), tmp_path / "other", progress=False)
    assert (built / "train-0000.jsonl").read_bytes() != (tmp_path / "other" / "train-0000.jsonl").read_bytes()


def test_command_line_builds_and_shows_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["build", "--n-cases=10", f"--output={tmp_path / 'bench'}", "--no-progress"])
    assert status == 0 and "ambiguity_clarification" in capsys.readouterr().out
    assert json.loads((tmp_path / "bench" / "manifest.json").read_text())["seed"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=x", "--ncases=3"], "unknown option: --ncases. Did you mean --n-cases?"),
        (["--output=x", "--wrokers=3"], "unknown option: --wrokers. Did you mean --workers?"),
        (["--output=x", "--n-cases=many"], 'invalid value for --n-cases: unable to convert "many" into int.'),
        (["--output=x", "--n-cases=3"], "n_cases: found 3, allowed: 10 to 1000000"),
        (["--output=x", "--workers=0"], 'invalid value "0" for --workers. Must be >= 1.'),
        (["--output=x", "fast"], "found 'fast', allowed: options, as in --seed 1."),
        (["--n-cases=20"], "parameter --output requires an argument."),
        (["output=x"], "parameter --output requires an argument."),
    ],
)
def test_bad_arguments_get_one_clear_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"bsft build: {message}") and told.count("\n") == 1


def test_json_is_alone_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--n-cases=10", "--seed=4", f"--output={tmp_path / 'bench'}", "--workers=1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    benchmark = open_benchmark(tmp_path / "bench")
    assert (found["path"], found["version"]) == (str(tmp_path / "bench"), benchmark.manifest.version)
    assert benchmark.manifest.seed == 4
    n_items = sum(n for splits in found["items"].values() for n in splits.values())
    assert n_items == sum(1 for split in benchmark.splits for _ in benchmark.items(split))


COMMAND = "import sys; from bsft.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
def test_a_killed_build_takes_its_workers_along_and_goes_on(tmp_path: Path) -> None:
    arguments = ["build", "--n-cases=1200", f"--output={tmp_path / 'killed'}", "--workers=2", "--no-progress"]
    with subprocess.Popen([sys.executable, "-c", COMMAND, *arguments]) as started:
        while not (made := list(tmp_path.glob(".killed.*/*.json"))):
            assert started.poll() is None
            time.sleep(0.05)
        family = psutil.Process(started.pid).children(recursive=True)
        started.kill()
    assert psutil.wait_procs(family, timeout=30)[1] == []
    times = {file: file.with_suffix("").stat().st_mtime_ns for file in made}
    assert main(arguments) == 0
    assert {file: (tmp_path / "killed" / file.stem).stat().st_mtime_ns for file in made} == times
    build(BuildSpec(n_cases=1200), tmp_path / "whole", progress=False)
    assert {file.name for file in tmp_path.iterdir()} == {"killed", "whole"}
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "killed" / file.name).read_bytes(), file.name
