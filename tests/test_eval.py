"""`bsft eval`: what is scored, where the results go, what is refused, and that nothing is fitted again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from jobs import only_run, without_cost
from small import TASKS, case_items

from bsft import cli
from bsft import config as cfg
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput
from bsft.records.store import write_benchmark
from bsft.report.rows import comparison
from bsft.report.sweep import read_sweep
from bsft.runs.directory import METRICS, PREDICTIONS, STATUS, RunDirectory

STEPS = "trainer.fit.max_steps=2"
Said = tuple[int, str, str]
"""Exit status, stdout, stderr."""
Eval = Callable[..., Said]


@pytest.fixture(scope="module")
def once(small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return only_run(small, tmp_path_factory.mktemp("once"), STEPS)


@pytest.fixture
def run(once: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A fitted run that the test may change."""
    return RunDirectory(copytree(once.path, tmp_path / "runs" / once.path.name))


@pytest.fixture
def evaluate(capfd: pytest.CaptureFixture[str]) -> Eval:
    def called(target: Path | RunDirectory | str, *overrides: str) -> Said:
        place = target.path if isinstance(target, RunDirectory) else target
        code = cli.main(["eval", str(place), *overrides])
        return code, *capfd.readouterr()

    return called


def assert_refused(said: Said, sentence: str) -> None:
    code, out, err = said
    assert (code, out) == (2, "") and err.startswith("bsft eval: ") and err.count("\n") == 1
    assert sentence in err


# --- a run ----------------------------------------------------------------------------------------------------------


def test_another_split_is_scored_as_a_fit_of_its_own_would_be(
    run: RunDirectory, evaluate: Eval, small: Path, root: Path
) -> None:
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*") if file.is_file()}
    code, out, _ = evaluate(run, "data.eval_split=val")
    assert code == 0 and "behavior_sft" in out and "behaviorbench_jsonl/val" in out
    [found] = run.evaluations()
    assert found.path == run.path / "scores" / "behaviorbench_jsonl-val"
    assert {file: file.stat().st_mtime_ns for file in before} == before, "the run stays as it was"
    fitted = only_run(small, root, STEPS, "data.eval_split=val")
    assert without_cost(found) == without_cost(fitted)
    assert found.metrics()["cost"]["fit_s"] == run.metrics()["cost"]["fit_s"]
    assert (found.path / PREDICTIONS).read_text() == (fitted.path / PREDICTIONS).read_text()


def test_what_was_scored_is_shown_and_redo_scores_anew(run: RunDirectory, evaluate: Eval) -> None:
    evaluate(run, "data.eval_split=val")
    written = (run.path / "scores/behaviorbench_jsonl-val" / METRICS).stat().st_mtime_ns
    code, out, err = evaluate(run, "data.eval_split=val", "--json")
    assert code == 0 and "scored already; redo=true scores it anew" in err
    assert json.loads(out)["split"] == "val"
    assert (run.path / "scores/behaviorbench_jsonl-val" / METRICS).stat().st_mtime_ns == written
    assert evaluate(run, "data.eval_split=val", "redo=true")[0] == 0
    assert (run.path / "scores/behaviorbench_jsonl-val" / METRICS).stat().st_mtime_ns != written
    assert len(list(run.evaluations())) == 1, "the old results are kept aside"


def test_the_runs_own_scores_are_shown_and_not_made_anew(run: RunDirectory, evaluate: Eval) -> None:
    code, out, err = evaluate(run, "--json")
    assert code == 0 and "scored already" in err and json.loads(out) == run.metrics()
    assert_refused(evaluate(run, "redo=true"), "these are the run's own scores")


def test_an_arm_and_other_settings_lie_apart_and_are_rows_of_the_report(run: RunDirectory, evaluate: Eval) -> None:
    for overrides in (
        ["method.behavior.mode=none"],
        ["method.behavior.mode=force", "method.behavior.token=proactive"],
        ["data.max_eval_items=8"],
    ):
        assert evaluate(run.path / "adapter", *overrides)[0] == 0
    names = [found.path.name for found in run.evaluations()]
    assert names[1:] == ["behaviorbench_jsonl-test-forced_proactive", "behaviorbench_jsonl-test-no_token"]
    assert names[0].startswith("behaviorbench_jsonl-test-") and len(names[0]) == len(
        "behaviorbench_jsonl-test-01234567"
    )
    rows = [row for row in comparison(read_sweep(run.path.parent).jobs) if not row.naive]
    assert sorted((row.n, "mode=none" in row.settings) for row in rows) == [
        (8, False),
        (24, False),
        (24, False),
        (24, True),
    ]


def test_a_threshold_chosen_on_validation_is_an_arm_of_any_run(run: RunDirectory, evaluate: Eval) -> None:
    code, out, _ = evaluate(run, "method.threshold=validation", "--json")
    assert code == 0 and json.loads(out)["flags"]["threshold_nats"] is not None
    assert [found.path.name for found in run.evaluations()] == ["behaviorbench_jsonl-test-threshold"]
    said = evaluate(run, "method.threshold=validation", "data.eval_split=val")
    assert_refused(said, "data.eval_split=val: method.threshold=validation chooses the threshold on")
    none = evaluate(run, "method.threshold=validation", "trainer.score.matched_items=0")
    assert_refused(none, "method.threshold=validation needs items: set trainer.score.matched_items above 0")


def test_another_benchmark_needs_no_training_split_and_exemplars_stay(
    run: RunDirectory, evaluate: Eval, small: Path, root: Path, tmp_path: Path
) -> None:
    items = {"only": case_items(300, "only")}
    write_benchmark(tmp_path / "b", items, TASKS, name="other", version="1", seed=0, licence="Apache-2.0")
    other = (f"data.path={tmp_path / 'b'}", "data.eval_split=only", "data.name=other")
    shown = only_run(small, root, "method=few_shot", "method.k=2", "data.max_eval_items=4")
    for each in (run, shown):
        assert evaluate(each, *other)[0] == 0
        assert next(each.evaluations()).metrics()["n"] == 4


def test_what_was_interrupted_is_told_and_scored_by_the_same_command(
    run: RunDirectory, evaluate: Eval, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bsft.training.job.score", stop)
        assert evaluate(run, "data.eval_split=val")[0] == 130
    [job] = read_sweep(run.path).unfinished
    assert (job.name, job.reason) == (f"{run.path.name}/scores/behaviorbench_jsonl-val", "interrupted")
    assert evaluate(run, "data.eval_split=val")[0] == 0
    assert not read_sweep(run.path).unfinished


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["method.lora.rank=4", "seed=1"],
            "method.lora.rank=4, seed=1: would change the fit, which bsft train makes anew",
        ),
        (["model=smollm2_135m"], "allowed are data, data.*, method.threshold, method.behavior.mode"),
        (["data.max_train_items=4"], "(but not data.train_split, data.max_train_items, data.max_val_items)"),
        (["method.behaviour.mode=none"], "did you mean method.behavior.mode?"),
        (["data.eval_split=vall"], "data.eval_split=vall: allowed are test, train, val; did you mean val?"),
        (["data.tasks=[nothing]"], "data.tasks=nothing: allowed are"),
        (["data=mederrbench"], "data.path has no value"),
        (["data.path=nowhere"], "nowhere: no such file"),
    ],
    ids=str,
)
def test_a_wrong_override_is_one_sentence(
    run: RunDirectory, evaluate: Eval, overrides: list[str], sentence: str
) -> None:
    assert_refused(evaluate(run, *overrides), sentence)
    assert not list(run.evaluations())


def test_no_items_is_one_sentence(run: RunDirectory, evaluate: Eval, tmp_path: Path) -> None:
    perturbed = case_items(1, "test")[2]
    problem = perturbed.perturbation
    assert problem is not None
    early = problem.model_copy(update={"locus": problem.locus.model_copy(update={"turn": 0})})
    alone = perturbed.model_copy(update={"perturbation": early, "twin_id": None})
    items = {"test": [alone], "val": case_items(2, "val")}
    write_benchmark(tmp_path / "b", items, TASKS, name="b", version="1", seed=0, licence="Apache-2.0")
    data = f"data.path={tmp_path / 'b'}"
    assert_refused(
        evaluate(run, data, "data.scene_tokens=32"), "all 1 items lost their evidence when they were shortened"
    )
    none = evaluate(run, data, "data.tasks=[lab_interpretation]")
    assert_refused(none, "split test has no items of data.tasks=['lab_interpretation']")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: rmtree(run.path), "no such run or model; allowed are the directory of a run"),
        (
            lambda run: rmtree(run.path / "adapter"),
            "adapter/complete: missing or damaged; the command that made the run",
        ),
        (lambda run: run.set_status("failed", "no memory"), "the run is not done (failed: no memory)"),
        (lambda run: (run.path / STATUS).unlink(), "the run is not done (queued)"),
    ],
)
def test_a_run_that_cannot_be_scored_is_one_sentence(
    run: RunDirectory, evaluate: Eval, change: Callable[[RunDirectory], object], sentence: str
) -> None:
    change(run)
    assert_refused(evaluate(run), sentence)


def test_a_sweep_and_an_empty_directory_are_no_run(run: RunDirectory, evaluate: Eval, tmp_path: Path) -> None:
    assert_refused(evaluate(run.path.parent), f"not a run (there are in it: {run.path.name})")
    (tmp_path / "empty").mkdir()
    assert_refused(evaluate(tmp_path / "empty"), "not a run (config.yaml is missing)")


# --- a model --------------------------------------------------------------------------------------------------------


def test_a_model_becomes_a_job_as_training_makes_it(small: Path, root: Path, evaluate: Eval, tmp_path: Path) -> None:
    tiny_model("llama").save_pretrained(tmp_path / "mine")
    tiny_tokenizer().save_pretrained(tmp_path / "mine")
    data = ("data=behaviorbench_jsonl", f"data.path={small}", f"root={root}", "trainer.precision=32-true")
    code, out, _ = evaluate(tmp_path / "mine", *data, "data.max_eval_items=8", "--json")
    assert code == 0 and json.loads(out)["model"] == "mine"
    [job] = (root / "runs").iterdir()
    assert job.name.startswith("baseline-mine-s0-")
    assert "scored already" in evaluate(tmp_path / "mine", *data, "data.max_eval_items=8")[2]
    assert_refused(evaluate(tmp_path / "mine", *data, "method=behavior_sft"), "method=behavior_sft would be fitted")
    assert evaluate(job, "data.eval_split=val")[0] == 0
    (tmp_path / "mine" / "config.json").write_text((tmp_path / "mine" / "config.json").read_text() + " ")
    assert_refused(evaluate(job, "data.eval_split=train"), "its files have changed since")


def test_an_option_and_a_name_of_the_hub_are_models(evaluate: Eval) -> None:
    assert_refused(evaluate("tiny", "data.eval_split=tests"), "data.eval_split=tests: allowed are")
    assert_refused(evaluate("someone/model"), "the commit of someone/model, branch main, is neither in the cache")
    assert_refused(evaluate("tny"), "tny: no such run or model")


# --- the stored config ----------------------------------------------------------------------------------------------


def test_a_stored_config_is_what_was_composed_whichever_schemas_it_has(small: Path) -> None:
    from bsft import launch

    path = f"data.path={small}"
    plans = [launch.plan([f"method={m}", "model=tiny"], multirun=False) for m in ("baseline", "instructed", "few_shot")]
    plans += [launch.plan([f"method={m}", "data=mederrbench", path], multirun=False) for m in ("general_sft",)]
    plans += [launch.plan(["method=behavior_sft", "data=behaviorbench_jsonl", path], multirun=False)]
    for plan in plans:
        for job in plan.jobs:
            assert cfg.validate(cfg.recomposed(cfg.plain(job))) == job


def test_a_stored_config_that_is_none_is_damage(run: RunDirectory) -> None:
    file = run.path / "config.yaml"
    file.write_text(file.read_text().replace("scene_tokens:", "scene_tokenz:"))
    with pytest.raises(
        BadInput, match=r"config\.yaml: field config: not a configuration of this version: data has the"
    ):
        run.frozen_config()
