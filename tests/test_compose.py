"""Composing: every YAML, every experiment, and sweeps at the cost of their combinations of groups."""

from __future__ import annotations

import hydra
import pytest
from omegaconf import DictConfig

from bsft import config as cfg
from bsft import launch
from bsft.records.errors import BadInput
from bsft.records.paths import config_dir

GROUPS = [(group, file.stem) for group in cfg.SCHEMAS for file in sorted((config_dir() / group).glob("*.yaml"))]
EXPERIMENTS = [file.stem for file in sorted((config_dir() / "experiment").glob("*.yaml"))]


def plan_with_paths(*overrides: str, multirun: bool = False) -> launch.Plan:
    """A plan; data sets that live in a directory of the user's are given one."""
    try:
        return launch.plan(overrides, multirun=multirun)
    except cfg.ConfigError as error:
        if "data.path has no value" not in str(error):
            raise
    return launch.plan([*overrides, "data.path=somewhere"], multirun=multirun)


@pytest.mark.parametrize(("group", "option"), GROUPS, ids=[f"{group}={option}" for group, option in GROUPS])
def test_every_option_of_every_group_composes(group: str, option: str) -> None:
    [job] = plan_with_paths(f"{group}={option}").jobs
    assert getattr(job, group).name == option


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_to_jobs_that_differ(experiment: str) -> None:
    planned = plan_with_paths(f"experiment={experiment}")
    assert planned.jobs
    assert len({str(cfg.plain(job)) for job in planned.jobs}) == len(planned.jobs)


def test_the_demo_experiment_sweeps_the_five_methods_by_itself() -> None:
    planned = launch.plan(["experiment=demo"], multirun=False)
    methods = [job.method.name for job in planned.jobs]
    assert methods == ["baseline", "instructed", "few_shot", "general_sft", "behavior_sft"]


def test_a_sweep_composes_once_per_combination_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 0
    compose = hydra.compose

    def counted(*args: object, **kwargs: object) -> DictConfig:
        nonlocal n
        n += 1
        return compose(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(hydra, "compose", counted)
    overrides = ["model=tiny", "method=baseline,few_shot", "seed=range(25)", "trainer.score.batch_tokens=1,2"]
    planned = launch.plan(overrides, multirun=True)
    assert len(planned.jobs) == 100
    assert n == 1 + 2  # the sweep itself, then each method
    assert {(job.method.name, job.seed, job.trainer.score.batch_tokens) for job in planned.jobs} == {
        (method, seed, tokens) for method in ("baseline", "few_shot") for seed in range(25) for tokens in (1, 2)
    }


def test_jobs_of_a_sweep_do_not_share_values() -> None:
    first, second = launch.plan(["model=tiny", "method.lora.rank=4,8"], multirun=True).jobs
    assert isinstance(first.method, cfg.SftConfig) and isinstance(second.method, cfg.SftConfig)
    assert (first.method.lora.rank, second.method.lora.rank) == (4, 8)


def test_what_is_wrong_is_raised() -> None:
    with pytest.raises(BadInput, match="--config-dir /nowhere: no such directory"):
        launch.plan([], multirun=False, more_configs="/nowhere")
