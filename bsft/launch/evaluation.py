"""What a further evaluation of a finished run means: its own config with other data, another arm or another scoring.

Whatever would have changed the fit is refused.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException

from bsft import config as cfg
from bsft.launch.checks import check_job
from bsft.launch.composing import open_configs
from bsft.model.content import model_content
from bsft.records.errors import BadInput, listed
from bsft.report.sweep import job_state
from bsft.runs.directory import CONFIG, RunDirectory, run_directories
from bsft.runs.identity import identity, short_digest

ALLOWED = (
    "data", "data.*", "method.threshold", "method.behavior.mode", "method.behavior.token", "trainer.score.*",
    "trainer.accelerator", "trainer.batching", "trainer.precision", "trainer.threads", "redo",
)  # fmt: skip
"""What may be overridden; `*` stands for any key below."""
OF_THE_FIT = ("data.train_split", "data.max_train_items", "data.max_val_items")
"""What may not, though it is of an allowed section."""


def plan_evaluation(path: Path, overrides: Sequence[str]) -> tuple[cfg.Config, RunDirectory]:
    """Composes and checks an evaluation.

    Args:
        path: of a finished run.
        overrides: Hydra's.

    Returns:
        The config, and the directory where its results are or will be: that of the run itself if these are the run's
        own, else `scores/<data>-<split>[-arm]` in it, with a digest where that name is taken by other settings.

    Raises:
        BadInput, ConfigError: no such run, or it is not done, or an override is wrong or would change the fit.
    """
    run = finished_run(path)
    own = cfg.validate(run.frozen_config())
    config = _composed(run, overrides)
    check_job(config, evaluated=True)
    recorded = run.frozen_identity() or {}
    if recorded.get("model", {}).get("content") != model_content(config.model):
        raise BadInput(
            f"{run.path}: model={config.model.name} is not the one that it was made with: its files have changed since"
        )
    arm = [part for part in arm_of(config.method) if part not in arm_of(own.method)]
    name = "-".join([config.data.name, config.data.eval_split, *arm])
    wanted = identity(config)
    if wanted == recorded:
        if config.redo:
            raise BadInput(f"{run.path}: these are the run's own scores, which bsft train with redo=true makes anew")
        return config, run
    directory = run.evaluation(name)
    is_own = name == f"{own.data.name}-{own.data.eval_split}"
    if is_own or directory.frozen_identity() not in (None, wanted):
        directory = run.evaluation(f"{name}-{short_digest(wanted)}")
    return config, directory


def finished_run(path: Path) -> RunDirectory:
    """
    Raises:
        BadInput: there is none at `path`, or it is not done, or it lost its adapter or results.
    """
    if not path.is_dir():
        raise BadInput(f"{path}: no such directory")
    if not (path / CONFIG).is_file():
        runs = [run.path.name for run in run_directories(path)]
        there = f"there are in it: {listed(runs)}" if runs else f"{CONFIG} is missing"
        raise BadInput(f"{path}: not a run ({there})")
    stands = job_state(RunDirectory(path))
    if stands.state == "damaged":
        raise BadInput(str(stands.reason))
    if stands.state != "done":
        reason = f": {stands.reason}" if stands.reason else ""
        raise BadInput(
            f"{path}: the run is not done ({stands.state}{reason}); the command that made it goes on from there"
        )
    return stands.run


def arm_of(method: cfg.MethodConfig) -> list[str]:
    """How a method decides, in words that can be parts of a name."""
    token = []
    if isinstance(method, cfg.BehaviorSftConfig):
        names = {"predict": "predicted", "none": "no_token"}
        token = [names.get(method.behavior.mode, f"forced_{method.behavior.token}")]
    return [*token, "threshold" if method.threshold == "validation" else "no_threshold"]


def _composed(run: RunDirectory, overrides: Sequence[str]) -> cfg.Config:
    stored = run.frozen_config()
    stored.logger = cfg.LoggerConfig(name="none")
    stored.redo = stored.dry_run = False
    keys = [override.partition("=")[0] for override in overrides]
    if "data.path" in keys and "data" not in keys and "path" not in stored.data:
        overrides = ["data=behaviorbench_jsonl", *overrides]
    cfg.register()
    with open_configs(None) as configs:
        try:
            overrides = configs.expanded(overrides)
            parsed = configs.parse(overrides)
            for override in parsed:
                configs.check(override)
            config = configs.job(overrides, onto=stored)
        except HydraException as error:
            raise BadInput(" ".join(str(error).split())) from None
    if refused := [str(o.input_line) for o in parsed if not _is_allowed(o.key_or_group)]:
        raise BadInput(
            f"{', '.join(refused)}: would change the fit, which bsft train makes anew; allowed are "
            f"{', '.join(ALLOWED)} (but not {', '.join(OF_THE_FIT)})"
        )
    return cfg.validate(config)


def _is_allowed(key: str) -> bool:
    below = any(key.startswith(allowed[:-1]) for allowed in ALLOWED if allowed.endswith("*"))
    return (below or key in ALLOWED) and key not in OF_THE_FIT
