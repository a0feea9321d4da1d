"""`bsft eval`: scores a finished run again, or a model as it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from bsft.commands.options import Json, planned, write_json
from bsft.records.errors import BadInput
from bsft.records.names import slug
from bsft.records.paths import config_dir, user_path

if TYPE_CHECKING:
    from bsft.config import Config
    from bsft.runs.directory import RunDirectory


def evaluate(target: str, /, *overrides: str, json: Json = False) -> int:
    """Scores a finished run on other items or in another way, without fitting again; or a model as it is.

    A run is taken with its own config, and the overrides. Results go to scores/DATA-SPLIT[-ARM]/ in its directory, and
    bsft report shows them beside the run's own. A model becomes a job of its own, as bsft train makes it, by default of
    method=baseline. What is there already is only shown; redo=true scores anew and keeps the old results aside.

    Args:
        target: a run's directory, multirun/SWEEP/JOB; or a model: its directory, ORG/NAME of the hub, or an option of
            conf/model.
        overrides: data.eval_split=test_heldout, data=OPTION, data.path=DIR, data.max_eval_items=100,
            method.behavior.mode=none, trainer.score.generate_items=50, ...; of a run, none that would change the fit.
        json: print metrics.json, and nothing else.

    Raises:
        BadInput, ConfigError: no such run or model, a run that is not done or lost its adapter, or a wrong override.
    """
    from bsft.launch.checks import is_done, prepare

    config, directory = _planned(target, overrides)
    if config.redo or not is_done(config, directory):
        prepare(config, directory)
        from bsft.training.job import run_planned

        run_planned(config, directory)
    else:
        from bsft.display.console import SafeConsole

        there = f"{directory.path}: scored already; redo=true scores it anew"
        SafeConsole(stderr=True, soft_wrap=True).print(there)
    if json:
        write_json(directory.metrics())
    else:
        _print(directory)
    return 0


def _planned(target: str, overrides: Sequence[str]) -> tuple[Config, RunDirectory]:
    """What is scored, and where its results are or will be."""
    from bsft.config import SftConfig
    from bsft.launch.checks import check_job
    from bsft.launch.evaluation import plan_evaluation
    from bsft.runs.directory import ADAPTER, CONFIG, RunDirectory

    path = user_path(target)
    if path.name == ADAPTER and (path.parent / CONFIG).is_file():
        path = path.parent
    if (model := _model_overrides(target)) is None or (path / CONFIG).is_file():
        return plan_evaluation(path, overrides)
    config = planned(["method=baseline", *model, "logger=none", *overrides])[0]
    if isinstance(config.method, SftConfig):
        raise BadInput(
            f"method={config.method.name} would be fitted, which bsft train does; a model is scored with "
            "method=baseline, instructed or few_shot"
        )
    check_job(config)
    return config, RunDirectory.of(config)


def _model_overrides(target: str) -> list[str] | None:
    """The overrides that mean a model; None where a run is meant."""
    path, options = user_path(target), sorted(file.stem for file in (config_dir() / "model").glob("*.yaml"))
    name = f"model.name={slug(path.name)}"
    if path.is_dir():
        is_model = any((path / file).is_file() for file in ("config.json", "adapter_config.json"))
        return ["model=tiny", "model.source=local", f"model.path='{path}'", name] if is_model else None
    if target in options:
        return [f"model={target}"]
    if len(path.parts) == 2 and not path.parent.is_dir() and not path.is_absolute():
        return ["model=tiny", "model.source=hub", f"model.id={target}", name]
    raise BadInput(
        f"{target}: no such run or model; allowed are the directory of a run (multirun/SWEEP/JOB) or of a model, "
        f"ORG/NAME of the hub, {', '.join(options)}"
    )


def _print(directory: RunDirectory) -> None:
    from bsft.commands.report import print_comparison
    from bsft.display.console import console_for
    from bsft.report.rows import comparison
    from bsft.report.sweep import read_job

    console = console_for(sys.stdout)
    print_comparison(console, directory.name, comparison([read_job(directory, [])]))
    console.print(Text(str(directory.path)), soft_wrap=True)
