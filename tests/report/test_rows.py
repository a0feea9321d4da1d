"""Which jobs become which rows, and with which values."""

from __future__ import annotations

import json

import pytest
from made_runs import BEHAVIOR, GROUPS, MACRO_F1_OF_NEVER_FLAG, Sweep

from bsft.records.errors import BadInput
from bsft.records.untrusted import read_record
from bsft.report.rows import Row, blocks, comparison
from bsft.report.sweep import flatten, read_curve, read_sweep
from bsft.report.values import RowValue
from bsft.scoring.result import Result


def rows_of(sweep: Sweep) -> list[Row]:
    return comparison(read_sweep(sweep.path).jobs)


def test_methods_in_their_order_then_naive_policies(five_methods: Sweep) -> None:
    five_methods.job("another_method")
    assert [row.method for row in rows_of(five_methods)] == [
        "baseline",
        "instructed",
        "few_shot",
        "general_sft",
        "behavior_sft",
        "another_method",
        "always-flag",
        "never-flag",
        "majority",
        "random",
    ]


def test_values_of_one_run(sweep: Sweep) -> None:
    reactive = {task: 0.2 for task, group in GROUPS.items() if group == "reactive"}
    proactive = {task: 0.8 for task, group in GROUPS.items() if group == "proactive"}
    sweep.job("behavior_sft", tasks=reactive | proactive, over_intervention_rate=0.1, behavior=BEHAVIOR)
    row = rows_of(sweep)[0]
    mean = (4 * 0.2 + 5 * 0.8) / 9
    assert row.values["macro_f1"].mean == pytest.approx(mean)
    assert row.values["macro_f1"].ci95 == pytest.approx((mean - 0.05, mean + 0.05))
    assert row.values["reactive"].mean == pytest.approx(0.2)
    assert row.values["proactive"].mean == pytest.approx(0.8)
    assert "balanced" not in row.values
    assert row.values["over_intervention_rate"] == RowValue(0.1, None, (0.05, 0.2))
    assert row.values["token_accuracy"].mean == 0.8
    assert row.values["arm.forced_right.macro_f1"].mean == 0.9
    assert "fit_s" not in row.values  # zero seconds: nothing was fitted
    assert row.tasks["error_correction"].ci95 == pytest.approx((0.7, 0.9))


def test_seeds_are_one_row_with_mean_and_sample_deviation(sweep: Sweep) -> None:
    for seed, value in ((2, 0.4), (0, 0.5), (1, 0.6)):
        sweep.job("general_sft", seed=seed, tasks=dict.fromkeys(GROUPS, value))
    row = rows_of(sweep)[0]
    assert row.seeds == (0, 1, 2)
    assert [job.result.seed for job in row.jobs] == [0, 1, 2]
    assert row.values["macro_f1"].mean == pytest.approx(0.5)
    assert row.values["macro_f1"].sd == pytest.approx(0.1)
    assert row.values["macro_f1"].ci95 is None
    assert row.tasks["case_handoff"].sd == pytest.approx(0.1)


def test_runs_that_differ_in_more_than_the_seed_stay_apart(sweep: Sweep) -> None:
    sweep.job("behavior_sft", settings={"method.lora.rank": 8})
    sweep.job("behavior_sft", settings={"method.lora.rank": 16}, seed=1)
    rows = [row for row in rows_of(sweep) if not row.naive]
    assert [row.label for row in rows] == [
        "behavior_sft (method.lora.rank=16)",
        "behavior_sft (method.lora.rank=8)",
    ]


def test_naive_rows_once_per_data_set(sweep: Sweep) -> None:
    for model in ("smollm2_135m", "gemma3_270m"):
        sweep.job("baseline", model=model)
        sweep.job("baseline", model=model, data="mederrbench", tasks={"error_correction": 0.5})
    naive = [row for row in rows_of(sweep) if row.naive]
    assert [(row.data, row.method) for row in naive[::4]] == [
        ("behaviorbench_open/test", "always-flag"),
        ("mederrbench/test", "always-flag"),
    ]
    assert len(naive) == 8
    assert naive[1].values["macro_f1"].mean == MACRO_F1_OF_NEVER_FLAG


def test_the_same_data_with_other_content_has_its_own_naive_rows(sweep: Sweep) -> None:
    sweep.job("baseline")
    sweep.job("baseline", settings={"data.sha256": "cd" * 32})
    labels = {row.label for row in rows_of(sweep) if row.method == "never-flag"}
    assert labels == {"never-flag (data.sha256=abababab)", "never-flag (data.sha256=cdcdcdcd)"}


@pytest.mark.parametrize(
    ("method", "proactive", "over_intervention_rate", "silent"),
    [
        ("general_sft", MACRO_F1_OF_NEVER_FLAG + 0.004, 0.009, True),
        ("general_sft", MACRO_F1_OF_NEVER_FLAG + 0.006, 0.009, False),
        ("general_sft", MACRO_F1_OF_NEVER_FLAG, 0.01, False),
        ("baseline", MACRO_F1_OF_NEVER_FLAG, 0.0, False),  # nothing was learnt
    ],
)
def test_a_fitted_row_that_never_flags_is_marked(
    sweep: Sweep, method: str, proactive: float, over_intervention_rate: float, silent: bool
) -> None:
    tasks = {task: proactive if group == "proactive" else 0.9 for task, group in GROUPS.items()}
    sweep.job(method, tasks=tasks, over_intervention_rate=over_intervention_rate)
    assert rows_of(sweep)[0].silent is silent


def test_blocks_are_models_in_natural_order_with_their_own_tasks(sweep: Sweep) -> None:
    for model in ("qwen2_5_14b", "qwen2_5_3b"):
        sweep.job("baseline", model=model)
    sweep.job("baseline", model="qwen2_5_3b", data="mederrbench", tasks={"error_correction": 0.5})
    found = blocks(rows_of(sweep))
    assert [(block.model, block.data, len(block.tasks)) for block in found] == [
        ("qwen2_5_3b", "behaviorbench_open/test", 13),
        ("qwen2_5_14b", "behaviorbench_open/test", 13),
        ("qwen2_5_3b", "mederrbench/test", 1),
    ]
    assert [row.method for row in found[2].naive] == ["always-flag", "never-flag", "majority", "random"]
    assert [task.group for task in found[0].tasks] == ["reactive"] * 4 + ["balanced"] * 4 + ["proactive"] * 5


def test_a_task_that_one_seed_lacks_has_no_value(sweep: Sweep) -> None:
    sweep.job("general_sft", seed=0, tasks={"error_correction": 0.5, "case_handoff": 0.5})
    sweep.job("general_sft", seed=1, tasks={"error_correction": 0.7})
    [(task, value)] = rows_of(sweep)[0].tasks.items()
    assert task == "error_correction"
    assert (value.mean, value.sd) == pytest.approx((0.6, 0.2 / 2**0.5))
    assert value.ci95 is None


def test_flatten() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": None}, "e": [1]}) == {"a.b.c": 1, "a.d": None, "e": [1]}


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_curve_with_empty_cells(sweep: Sweep) -> None:
    job = sweep.job(curve="step,loss,lr,val_macro_f1\n1,2.5,0.1,\n2,,,0.25\n")
    curve = read_curve(job / "train.csv")
    assert curve is not None
    assert curve.loss == ((1, 2.5),)
    assert curve.val_macro_f1 == ((2, 0.25),)
    assert read_curve(job / "absent.csv") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("step,loss\n1,2\n", "damaged (row 1: no column 'val_macro_f1'; found: step, loss)"),
        ("step,loss,lr,val_macro_f1\n1,x,,\n", "damaged (row 2: field loss: found 'x', allowed: a finite number)"),
        ("step,loss,lr,val_macro_f1\n1,nan,,\n", "damaged (row 2: field loss: found 'nan', allowed: a finite number)"),
        ("step,loss,lr,val_macro_f1\nx,1,,\n", "damaged (row 2: field step: found 'x', allowed: a number of steps)"),
        (
            "step,loss,lr,val_macro_f1,loss\n1,1,,,2\n",
            "damaged (row 1: found column 'loss' more than once, allowed: once)",
        ),
    ],
)
def test_a_damaged_curve_is_named(sweep: Sweep, text: str, complaint: str) -> None:
    job = sweep.job(curve=text)
    with pytest.raises(BadInput) as error:
        read_curve(job / "train.csv")
    assert str(error.value) == f"{job / 'train.csv'}: {complaint}"


def test_single_precision_may_pass_one_by_its_last_digit(sweep: Sweep) -> None:
    overall = {"macro_f1": 1.0000001192092896, "mcc": -1.0000001192092896}
    found = read_record(Result, sweep.job(overall=overall) / "metrics.json").overall
    assert (found.macro_f1, found.mcc) == (1.0, -1.0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "field schema: found 2: input should be 1"),
        ({"n": 0}, "field n: found 0: input should be greater than or equal to 1"),
        ({"task": {}}, "field task: found {}: dictionary should have at least 1 item"),
        ({"overall": {"macro_f1": 1.2}}, "field overall.macro_f1: found 1.2: input should be less than or equal to 1"),
        ({"overall": {"macro_f1": float("nan")}}, "field overall.macro_f1: found nan: input should be a finite number"),
    ],
)
def test_wrong_metrics_are_named(sweep: Sweep, change: dict[str, object], complaint: str) -> None:
    file = sweep.job() / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadInput) as error:
        read_record(Result, file)
    assert str(error.value).startswith(f"{file}: {complaint}")
