"""Sweepers other than Hydra's own: they decide on the jobs, each of which is checked when it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from jobs import Train

from bsft.runs.directory import METRICS

SEARCH = ("-m", "hydra/sweeper=both_ends", "method=baseline", "data.max_eval_items=4")


def test_a_search_runs_the_jobs_that_the_sweeper_asks_for(train: Train) -> None:
    ended = train(*SEARCH, "seed=choice(1,2,3)", "trainer.score.batch_tokens=range(500,700,100)")
    assert ended.code == 0
    assert [run.metrics()["seed"] for run in ended.runs] == [1, 3]
    sweeper: Any = Plugins.instance().class_name_to_class["hydra_plugins.trying.BothEnds"]
    assert sweeper.values == [run.metrics()["overall"]["macro_f1"] for run in ended.runs]


def test_what_is_done_is_not_repeated(train: Train) -> None:
    first = train(*SEARCH, "seed=choice(1,2)").runs[0].path / METRICS
    written = first.stat().st_mtime_ns
    assert train(*SEARCH, "seed=choice(1,2)").code == 0
    assert first.stat().st_mtime_ns == written


def test_parameters_of_the_sweeper_are_swept_keys_too(train: Train) -> None:
    ended = train(*SEARCH, "+hydra.sweeper.params.seed='choice(4,5)'")
    assert ended.code == 0 and [run.metrics()["seed"] for run in ended.runs] == [4, 5]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sed=choice(1,2)"], "unknown key sed; did you mean seed?"),
        (["seed=choice(a,b)"], "seed: Value 'a' of type 'str' could not be converted to Integer"),
        (["method=choice(basline,few_shot)"], "method=basline: no such method; did you mean baseline?"),
        (["trainer.fit.optim.lr=interval(-3,-1)"], "trainer.fit.optim.lr=-2.0: must be above 0"),
        (["+hydra.sweeper.params.sed='choice(4,5)'"], "unknown key sed; did you mean seed?"),
        (["data.path=/nowhere"], "data.path=/nowhere: no such file"),
    ],
    ids=str,
)
def test_what_can_be_seen_wrong_is_said_before_the_first_job(
    train: Train, root: Path, arguments: list[str], sentence: str
) -> None:
    command = [argument for argument in SEARCH if not argument.startswith(arguments[0].split("=")[0])]
    ended = train(*command, *arguments)
    assert (ended.code, ended.runs) == (2, [])
    assert sentence in ended.err and "Traceback" not in ended.err


def test_a_job_that_turns_out_wrong_fails_alone_and_says_so(train: Train) -> None:
    """Both ends of the interval are planned for by its middle, which is right."""
    ended = train(*SEARCH, "seed=7", "trainer.score.max_new_tokens=choice(8,0)")
    assert ended.code != 0
    assert "trainer.score.max_new_tokens=0: must be at least 1" in ended.err
