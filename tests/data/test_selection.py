"""What is chosen from an index alone is what would be chosen with every item in memory."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from making import make_config, method_config

from bsft import config as cfg
from bsft.bench.build import BuildSpec, build
from bsft.data.datamodule import plan_steps
from bsft.data.methods import method_of
from bsft.data.selection import choose_exemplars, exemplars_of, select_items
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import Benchmark, open_benchmark
from bsft.scoring.metrics import label_counts


@pytest.fixture(scope="module", params=["made", "built", "one file"])
def benchmark(request: pytest.FixtureRequest, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    if request.param == "made":
        return open_benchmark(small)
    directory = tmp_path_factory.mktemp("selection") / "bench"
    build(BuildSpec(n_cases=14, seed=3), directory, progress=False)
    if request.param == "built":
        return open_benchmark(directory)
    mixed = [line for file in directory.glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines(True)]
    random.Random(0).shuffle(mixed)
    (directory.parent / "mixed.jsonl").write_text("".join(mixed), encoding="utf-8")
    return open_benchmark(directory.parent / "mixed.jsonl")


def in_memory(benchmark: Benchmark, tasks: list[str], limit: int | None) -> list[Item]:
    """The selection, said with items: whole cases in a fixed shuffled order, until the next one is too many."""
    cases: dict[str, list[Item]] = {}
    for item in benchmark.items("train"):
        if not tasks or item.task in tasks:
            cases.setdefault(item.case_id, []).append(item)
    order = sorted(cases)
    random.Random(0).shuffle(order)
    chosen: list[Item] = []
    for case in order:
        if limit is not None and chosen and len(chosen) + len(cases[case]) > limit:
            break
        chosen += cases[case]
    return chosen


def data_config(**options: Any) -> cfg.JsonlConfig:
    return cfg.JsonlConfig(name="any", path="unused", **options)


@pytest.mark.parametrize("limit", [None, 1, 4, 23, 50, 10_000])
@pytest.mark.parametrize("n_tasks", [0, 1, 3])
def test_selections_are_equal(benchmark: Benchmark, limit: int | None, n_tasks: int) -> None:
    tasks = sorted(benchmark.tasks)[:n_tasks]
    items = select_items(benchmark, "train", data_config(tasks=tasks), limit)
    expected = in_memory(benchmark, tasks, limit)
    assert list(items) == expected
    assert [items[i] for i in range(len(items))] == expected
    assert list(items[2:7]) == expected[2:7]


@pytest.mark.parametrize("n_flags", [1, 2])
def test_flags_choose_pairs_and_leave_other_tasks_alone(benchmark: Benchmark, n_flags: int) -> None:
    everything = {item.id: item for item in benchmark.items("train")}
    flags = sorted({item.label for item in everything.values() if item.gold.flag})[:n_flags]
    chosen = {item.id for item in select_items(benchmark, "train", data_config(flags=flags), None)}
    for item in everything.values():
        pair = {item.label, *(twin.label for twin in [everything.get(item.twin_id or "")] if twin)}
        wanted = item.group != "proactive" or (item.twin_id is not None and bool(pair & set(flags)))
        assert (item.id in chosen) == wanted, item.id
    assert {everything[name].label for name in chosen if everything[name].gold.flag} == set(flags)


def test_an_unknown_flag_names_those_that_are_there(benchmark: Benchmark) -> None:
    with pytest.raises(BadInput, match=r"data\.flags: unknown flag_doze; .* has .*flag_"):
        select_items(benchmark, "train", data_config(flags=["flag_doze"]), None)


@pytest.mark.parametrize("limit", [None, 30])
def test_heads_tell_what_the_items_tell(benchmark: Benchmark, limit: int | None) -> None:
    items = select_items(benchmark, "train", data_config(), limit)
    expected = list(items)
    by_id = {item.id: item for item in expected}
    for i, (item, head) in enumerate(zip(expected, items.heads(), strict=True)):
        assert {name: getattr(item, name) for name in head._fields} == head._asdict()
        assert items.twin(i) == by_id.get(item.twin_id or "")
    assert label_counts(items.heads()) == label_counts(expected)


@pytest.mark.parametrize("fit", [{}, {"max_epochs": 3, "items_per_case": 4}, {"cases_per_step": 2, "max_steps": 3}])
@pytest.mark.parametrize("seed", [0, 7])
def test_plans_are_equal(benchmark: Benchmark, fit: dict[str, Any], seed: int) -> None:
    items = select_items(benchmark, "train", data_config(), None)
    assert plan_steps(items.heads(), cfg.FitConfig(**fit), seed) == plan_steps(items, cfg.FitConfig(**fit), seed)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exemplars_are_equal(benchmark: Benchmark, seed: int) -> None:
    config = make_config(benchmark.path, method=method_config("few_shot", k=3), seed=seed)
    method = method_of(config.method)
    assert exemplars_of(benchmark, config, method) == choose_exemplars(list(benchmark.items("train")), 3, seed)
    assert exemplars_of(benchmark, config, method_of(method_config("baseline"))) == []
