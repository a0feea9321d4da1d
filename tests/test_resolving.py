"""What would be another value when it is looked up again is resolved once: the time, the environment, globs, homes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from launching import Launch
from omegaconf import OmegaConf

from bsft.cli import main
from bsft.launch.resolving import Interpolations
from bsft.runs.directory import CONFIG, run_directories

CLOCK = "s-${now:%H%M%S%f}"
"""Another name at every look."""


@pytest.mark.parametrize("arguments", [[], ["-m", "seed=0,1"]], ids=["one", "sweep"])
def test_a_sweep_named_after_the_time_is_one_directory(launched: Launch, root: Path, arguments: list[str]) -> None:
    ended = launched(f"sweep={CLOCK}", *arguments)
    assert (ended.code, ended.err) == (0, "")
    [sweep] = root.iterdir()
    directories = [path for path in sweep.iterdir() if path.is_dir()]
    assert sorted(ended.ran) == sorted(path.name for path in directories)
    assert all((path / CONFIG).exists() for path in directories)


@pytest.mark.parametrize("arguments", [[], ["-m", "seed=0,1"]], ids=["one", "sweep"])
def test_a_yaml_file_may_name_a_sweep_after_the_time(
    launched: Launch, root: Path, tmp_path: Path, arguments: list[str]
) -> None:
    file = tmp_path / "mine" / "experiment" / "pilot.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\nsweep: '{CLOCK}-${{method.name}}'\n")
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot", *arguments)
    assert (ended.code, ended.err) == (0, "")
    [sweep] = root.iterdir()
    assert sweep.name.endswith("-behavior_sft") and len(list(run_directories(sweep))) == len(ended.ran) > 0


def test_an_option_that_asks_and_is_chosen_by_some_jobs_only_is_refused(
    launched: Launch, root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine" / "method" / "timed.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("defaults:\n  - schema_method\n  - _self_\nname: timed\nsystem_prompt: 'It is ${now:%f}.'\n")
    file.write_text(file.read_text().replace("schema_method", "schema_baseline"))
    ended = launched("--config-dir", str(tmp_path / "mine"), "-m", "method=baseline,timed")
    assert (ended.code, ended.ran, root.exists()) == (2, [], False)
    assert "method.system_prompt: It is ${now:%f}. may be another value when the job runs; give" in ended.err


def test_the_environment_is_looked_up_once(
    launched: Launch, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEED_OF_TODAY", "7")
    monkeypatch.setenv("PROMPT_OF_TODAY", 'it\'s, "so" [x] {y}=z')
    [name] = launched("seed=${oc.env:SEED_OF_TODAY}", "method.system_prompt=${oc.env:PROMPT_OF_TODAY}").ran
    text = OmegaConf.load(root / "runs" / name / CONFIG)
    assert (text.config.seed, text.config.method.system_prompt) == (7, 'it\'s, "so" [x] {y}=z')


@pytest.mark.parametrize("arguments", [[], ["-m"]], ids=["one", "sweep"])
def test_a_resolver_that_never_answers_the_same_is_asked_once(
    launched: Launch, root: Path, arguments: list[str]
) -> None:
    answers = itertools.count()
    OmegaConf.register_new_resolver("tick", lambda: next(answers), replace=True)
    [name] = launched("seed=${tick:}", *arguments).ran
    assert (root / "runs" / name / CONFIG).exists()


def test_a_variable_that_is_not_set_is_one_sentence(launched: Launch) -> None:
    ended = launched("seed=${oc.env:NO_SUCH_VARIABLE}")
    assert ended.code == 2 and "Environment variable 'NO_SUCH_VARIABLE' not found" in ended.err


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("sweep=${now:%Y}", "sweep='YEAR'"),
        ("sweep=a-${now:%Y}-b", "sweep=a-YEAR-b"),
        ("sweep=a-${now:%Y},b", "sweep=a-YEAR,b"),
        ("sweep=${method.name}", "sweep=${method.name}"),
        ("sweep=${oc.select:seed}", "sweep=${oc.select:seed}"),
        ("sweep=${oc.decode:'[1,a]'}", "sweep=${oc.decode:'[1,a]'}"),
        ("data.tasks=${oc.decode:${oc.env:WANTED}}", "data.tasks=['a','b']"),
        ("seed=${oc.decode:${oc.env:NUMBER}}", "seed=3"),
        ("logger.entity=${oc.env:NO_SUCH_VARIABLE,null}", "logger.entity=null"),
        ("seed=3", "seed=3"),
        ("~seed", "~seed"),
    ],
)
def test_resolved_overrides(monkeypatch: pytest.MonkeyPatch, given: str, found: str) -> None:
    monkeypatch.setenv("WANTED", "[a, b]")
    monkeypatch.setenv("NUMBER", "3")
    OmegaConf.register_new_resolver("now", lambda _: "YEAR", replace=True)
    assert Interpolations().override(given) == found


def test_the_directory_of_jobs_is_the_commands(launched: Launch, root: Path) -> None:
    ended = launched("hydra.job.chdir=true")
    assert (ended.code, ended.ran, root.exists()) == (2, [], False)
    assert "hydra.job.chdir=true: relative paths would mean other places" in ended.err and ended.err.count("\n") == 1


# --- globs ----------------------------------------------------------------------------------------------------------


def test_globs_match_no_schema(launched: Launch) -> None:
    ended = launched("-m", "method=glob(*)", "trainer=glob(*,exclude=[gpu,ddp,fsdp])")
    assert ended.code == 0 and len(ended.ran) == 16
    assert {name.split("-")[0] for name in ended.ran} == {
        "baseline", "behavior_sft", "classifier", "few_shot", "general_sft", "instructed", "shuffled_tokens", "words",
    }  # fmt: skip


@pytest.mark.parametrize("group", ["method", "model", "trainer", "data", "logger", "experiment"])
def test_a_glob_that_only_schemas_match_matches_nothing(launched: Launch, group: str) -> None:
    ended = launched("-m", f"{group}=glob(schema*)")
    assert ended.code == 2
    assert ended.err.startswith(f"bsft-train: {group}=glob(schema*): matches no option of {group} (there are: ")
    assert "schema_" not in ended.err


def test_globs_of_yaml_files_match_no_schema(launched: Launch, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "experiment" / "all.yaml"
    file.parent.mkdir(parents=True)
    params = "sweeper:\n    params:\n      method: glob(*)\n"
    file.write_text(f"# @package _global_\nhydra:\n  mode: MULTIRUN\n  {params}")
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=all")
    assert ended.code == 0 and len(ended.ran) == 8


def test_completion_suggests_no_schema(launched: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "bsft-train method=")
    told = launched("-sc", "query=bash").out
    assert "method=baseline" in told and "schema" not in told


# --- homes ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "the home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.chdir(tmp_path)
    return directory


@pytest.mark.parametrize("arguments", [[], ["-m", "seed=0,1"]], ids=["one", "sweep"])
def test_a_home_is_no_directory_named_so(
    launched: Launch, small: Path, home: Path, tmp_path: Path, arguments: list[str]
) -> None:
    (home / "small").symlink_to(small)
    ended = launched("root=~/jobs", "data.path=~/small", *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert sorted(ended.ran) == sorted(run.path.name for run in run_directories(home / "jobs" / "runs"))
    assert not (tmp_path / "~").exists()


def test_a_home_in_a_yaml_file(launched: Launch, small: Path, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "experiment" / "pilot.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nsweep: pilot\nmodel:\n  path: ~/nowhere\n  source: local\n")
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot")
    assert ended.code == 2 and f"{home}/nowhere" in ended.err


def test_homes_of_the_other_commands(
    home: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "small").symlink_to(small)
    assert main(["build", "--output=~/built", "--n-cases=10", "--workers=1", "--no-progress"]) == 0
    assert (home / "built" / "manifest.json").exists()
    for command in ("audit", "status", "report"):
        assert main([command, "~/nowhere"]) == 2
        assert f"{home}/nowhere" in capsys.readouterr().err
    assert main(["show", "random", "data.path=~/small", "--images=~/drawn"]) == 0
    assert not (tmp_path / "~").exists()


def test_the_home_of_nobody_is_one_sentence(launched: Launch) -> None:
    ended = launched("root=~no-such-user/x")
    assert ended.code == 2
    assert ended.err == "bsft-train: ~no-such-user/x: no such user; a directory of that name is ./~no-such-user/x\n"
