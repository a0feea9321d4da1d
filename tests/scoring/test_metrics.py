"""Metrics against values computed by hand and against scikit-learn."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bsft.records.schema import Behavior, Group, Item, Locus, Option, Perturbation, TaskSpec, Turn
from bsft.scoring.metrics import Response, evaluate, flag_mcc, restraint, task_score

LABELS = ["a", "b", "c"]
SPEC = TaskSpec(name="t", group="reactive", metric="macro_f1", labels=LABELS)
UNPARSED = None


def item(
    label: str = "a",
    *,
    n: int = 0,
    case: str | None = None,
    task: str = "t",
    group: Group = "reactive",
    behavior: Behavior = "reactive",
    twin: int | None = None,
    perturbed: bool = False,
) -> Item:
    """Options a, b, c; c is a flag."""
    change = Perturbation(kind="k", locus=Locus(turn=0, role="nurse", field="f"), before="", after="")
    return Item(
        id=f"{task}{n}",
        case_id=case or f"case{n}",
        twin_id=None if twin is None else f"{task}{twin}",
        task=task,
        group=group,
        gold_behavior=behavior,
        autonomy="L2",
        turns=[Turn(speaker="A", role="nurse", text="a")],
        options=[Option(text=label, label=label, flag=label == "c") for label in LABELS],
        label=label,
        variant="perturbed" if perturbed else "clean",
        perturbation=change if perturbed else None,
        split="test",
    )


def responses_of(gold: Sequence[str], predicted: Sequence[str | None], **fields: object) -> list[Response]:
    return [
        Response(item(g, n=i, **fields), None if p is None else LABELS.index(p))  # type: ignore[arg-type]
        for i, (g, p) in enumerate(zip(gold, predicted, strict=True))
    ]


# --- a task's score -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("aabb", "aabb", 1.0),
        ("aabb", "bbaa", 0.0),
        ("aabb", "aaaa", (2 * 2 / (2 + 4) + 0) / 2),  # a: precision 1/2, recall 1; b: nothing
        ("aabc", "aabb", (1 + 2 / 3 + 0) / 3),
        ("aabb", "aabc", (1 + 2 / 3) / 2),  # c is not in gold: a miss of b, no class of its own
    ],
)
def test_macro_f1_by_hand(gold: str, predicted: str, expected: float) -> None:
    assert task_score(responses_of(gold, list(predicted)), SPEC) == pytest.approx(expected, abs=1e-12)


def test_an_unparsed_answer_is_wrong_and_adds_no_class() -> None:
    parsed = task_score(responses_of("aabb", list("aabb")), SPEC)
    unparsed = task_score(responses_of("aabb", ["a", "a", "b", UNPARSED]), SPEC)
    assert parsed == 1.0
    assert unparsed == pytest.approx((1 + 2 / 3) / 2), "b: precision 1, recall 1/2; no third class"
    assert task_score(responses_of("ab", [UNPARSED, UNPARSED]), SPEC) == 0.0


def test_accuracy_tasks_report_accuracy() -> None:
    spec = TaskSpec(name="t", group="reactive", metric="accuracy")
    assert task_score(responses_of("aaaa", ["a", "a", "b", UNPARSED]), spec) == 0.5


ANSWERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", UNPARSED])), min_size=1, max_size=40
)


@given(ANSWERS)
def test_macro_f1_is_scikit_learns(answers: list[tuple[str, str | None]]) -> None:
    gold, predicted = [g for g, _ in answers], [p or "unparsed" for _, p in answers]
    expected = f1_score(gold, predicted, labels=sorted(set(gold)), average="macro", zero_division=0)
    assert task_score(responses_of(gold, [p for _, p in answers]), SPEC) == pytest.approx(expected, abs=1e-12)


@given(ANSWERS)
def test_accuracy_and_correlation_are_scikit_learns(answers: list[tuple[str, str | None]]) -> None:
    gold, predicted = [g for g, _ in answers], [p or "unparsed" for _, p in answers]
    row = evaluate(responses_of(gold, [p for _, p in answers]), {"t": SPEC}, bootstrap_samples=1).task["t"]
    assert row.accuracy == pytest.approx(accuracy_score(gold, predicted))
    if len(set(gold)) < 2:
        assert row.mcc is None
    else:
        # whatever is not a gold label is one class to the correlation
        merged = [p if p in gold else "other" for p in predicted]
        assert row.mcc == pytest.approx(matthews_corrcoef(gold, merged), abs=1e-6)


# --- the whole evaluation -------------------------------------------------------------------------------------------

TASKS = {
    "t": SPEC,
    "u": TaskSpec(name="u", group="reactive", metric="accuracy"),
    "v": TaskSpec(name="v", group="proactive", metric="macro_f1", labels=["a", "c"]),
    "unused": TaskSpec(name="unused", group="balanced", metric="accuracy"),
}


def three_tasks() -> list[Response]:
    return [
        *responses_of("aabb", ["a", "a", "a", "a"]),  # macro-F1 1/3
        *responses_of("aa", ["a", "b"], task="u"),  # accuracy 1/2
        *responses_of("ac", ["a", "c"], task="v", group="proactive"),  # macro-F1 1
    ]


def test_groups_and_overall_are_unweighted_means_over_tasks() -> None:
    found = evaluate(three_tasks(), TASKS, bootstrap_samples=50)
    assert {name: row.score for name, row in found.task.items()} == pytest.approx({"t": 1 / 3, "u": 0.5, "v": 1})
    of_group = {name: summary and summary.macro_f1 for name, summary in found.group.items()}
    assert of_group == {"reactive": pytest.approx((1 / 3 + 1 / 2) / 2), "balanced": None, "proactive": pytest.approx(1)}
    assert found.overall.macro_f1 == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert found.overall.accuracy == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_a_row_says_its_metric_support_and_number() -> None:
    row = evaluate(three_tasks(), TASKS, bootstrap_samples=5).task["t"]
    assert (row.metric, row.n, row.group) == ("macro_f1", 4, "reactive")
    assert row.support == {"a": 2, "b": 2}


def test_an_empty_evaluation_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to evaluate: no item was scored"):
        evaluate([], TASKS, bootstrap_samples=10)


# --- restraint ------------------------------------------------------------------------------------------------------


def flagging(flags: str, behaviors: Sequence[Behavior]) -> list[Response]:
    """`c` is a flag; gold is `c` where the gold behaviour is proactive, else `a`."""
    gold = ["c" if behavior == "proactive" else "a" for behavior in behaviors]
    items = [item(g, n=i, behavior=b) for i, (g, b) in enumerate(zip(gold, behaviors, strict=True))]
    return [Response(one, LABELS.index(flag)) for one, flag in zip(items, flags, strict=True)]


def test_over_intervention_is_a_flag_where_gold_is_not_proactive() -> None:
    responses = flagging("cacac", ["proactive", "proactive", "reactive", "balanced", "reactive"])
    assert restraint(responses).over_intervention_rate == pytest.approx(2 / 3)
    assert restraint(flagging("c", ["proactive"])).over_intervention_rate is None


def test_an_unparsed_answer_raises_no_flag() -> None:
    assert not Response(item("c"), UNPARSED).flagged
    assert not Response(item("c"), UNPARSED).correct


def test_a_pair_counts_when_both_twins_are_right() -> None:
    perturbed = [item("c", n=i, twin=i + 10, perturbed=True) for i in range(4)]
    clean = [item("a", n=i + 10, twin=i) for i in range(3)]  # the fourth has no twin here
    chosen = [2, 2, 0, 2, 0, 2, 0]
    responses = [Response(one, choice) for one, choice in zip([*perturbed, *clean], chosen, strict=True)]
    assert restraint(responses).pair_accuracy == pytest.approx(1 / 3)
    assert restraint(responses[4:]).pair_accuracy is None


def test_the_flag_correlation_is_scikit_learns() -> None:
    behaviors: list[Behavior] = ["proactive", "proactive", "reactive", "balanced", "reactive"]
    expected = matthews_corrcoef([1, 1, 0, 0, 0], [1, 0, 1, 0, 0])
    assert flag_mcc(flagging("cacaa", behaviors)) == pytest.approx(expected, abs=1e-6)
    assert flag_mcc(flagging("cc", ["proactive", "proactive"])) is None


@pytest.mark.parametrize("always", ["c", "a"])
def test_who_always_does_the_same_has_no_correlation(always: str) -> None:
    assert flag_mcc(flagging(always * 4, ["proactive", "reactive", "reactive", "reactive"])) == 0


# --- intervals ------------------------------------------------------------------------------------------------------


def noisy(n_cases: int, seed: int = 0) -> list[Response]:
    """Three items per case, answered right about three times in four."""
    rng = random.Random(seed)
    responses = []
    for i in range(3 * n_cases):
        gold = rng.choice("ab")
        predicted = gold if rng.random() < 0.75 else rng.choice("abc")
        responses.append(Response(item(gold, n=i, case=f"case{i // 3}"), LABELS.index(predicted)))
    return responses


@pytest.mark.parametrize("n_cases", [5, 20, 80])
def test_an_interval_contains_its_point(n_cases: int) -> None:
    found = evaluate(noisy(n_cases), {"t": SPEC}, bootstrap_samples=1000)
    for point, interval in (
        (found.overall.macro_f1, found.overall.macro_f1_ci95),
        (found.task["t"].score, found.task["t"].ci95),
        (found.restraint.over_intervention_rate, found.restraint.over_intervention_ci95),
    ):
        assert point is not None and interval is not None
        assert 0 <= interval[0] <= point <= interval[1] <= 1


def test_an_interval_shrinks_with_the_number_of_cases() -> None:
    widths = []
    for n_cases in (10, 40, 160):
        interval = evaluate(noisy(n_cases), {"t": SPEC}, bootstrap_samples=1000).overall.macro_f1_ci95
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[0] > 1.4 * widths[1] > 1.4 * 1.4 * widths[2]


def test_cases_are_resampled_and_not_items() -> None:
    """Twenty copies of an item in one case tell no more than one."""
    single = [Response(item("a", n=i, case=f"case{i}"), i % 2) for i in range(10)]
    copies = [Response(item("a", n=20 * i + k, case=f"case{i}"), i % 2) for i in range(10) for k in range(20)]
    spec = {"t": TaskSpec(name="t", group="reactive", metric="accuracy")}
    once, often = (evaluate(o, spec, bootstrap_samples=500).overall.macro_f1_ci95 for o in (single, copies))
    assert once == pytest.approx(often)


def test_the_bootstrap_resamples_the_metric_itself() -> None:
    """Every sample of the fast path against scikit-learn on the resampled items."""
    responses = noisy(12)
    index = {f"case{i}": i for i in range(12)}
    order = sorted(index)  # the resampler numbers cases by name
    weights = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=100)
    scores = []
    for row in weights:
        drawn = [o for o in responses for _ in range(row[order.index(o.item.case_id)])]
        gold, predicted = [o.item.label for o in drawn], [o.predicted for o in drawn]
        scores.append(f1_score(gold, predicted, labels=sorted(set(gold)), average="macro", zero_division=0))
    found = evaluate(responses, {"t": SPEC}, bootstrap_samples=100, seed=0).task["t"].ci95
    assert found == pytest.approx((np.percentile(scores, 2.5), np.percentile(scores, 97.5)))


def test_a_task_that_a_sample_misses_is_left_out_of_it(recwarn: pytest.WarningsRecorder) -> None:
    responses = [*responses_of("aabb", list("aabb")), *responses_of("a", ["b"], task="u")]
    found = evaluate(responses, TASKS, bootstrap_samples=200)
    assert found.task["u"].ci95 == (0.0, 0.0)
    assert found.overall.macro_f1_ci95 == (0.5, 1.0)
    assert not recwarn.list, "no warning about empty means"


def test_the_same_seed_gives_the_same_interval() -> None:
    one, same, other = (evaluate(noisy(20), {"t": SPEC}, bootstrap_samples=99, seed=s).overall for s in (0, 0, 1))
    assert one == same != other
