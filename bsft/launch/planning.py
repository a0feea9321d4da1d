"""The jobs that a command line means."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from bsft import config as cfg
from bsft.launch.composing import Configs, open_configs
from bsft.launch.hydra_internals import STOCK_SWEEPER, jobs_of_sweep
from bsft.launch.resolving import Interpolations
from bsft.runs.identity import register_resolver


@dataclass(frozen=True)
class Plan:
    """The jobs of one command, checked, and the overrides that mean them, whenever they are composed again.

    `complete` is False when a sweeper of the user's decides on the jobs while they run; `jobs` is then one sample, made
    of the first (or middle) of each swept key's values.
    """

    jobs: list[cfg.Config]
    overrides: list[str]
    complete: bool


def plan(overrides: Sequence[str], *, multirun: bool, more_configs: str | None = None) -> Plan:
    """Composes and checks every job that a command line means, with the user's own YAML files (`--config-dir`). A
    ConfigError, BadInput or HydraException says what is wrong, with the key or file."""
    cfg.register()
    register_resolver()
    with open_configs(more_configs) as configs:
        resolver = Interpolations()
        overrides = [resolver.override(given) for given in configs.expanded(overrides)]
        parsed = configs.parse(overrides)
        for override in parsed:
            configs.check(override)
        base = configs.compose([o for o in parsed if configs.is_choice(o) and not o.is_sweep_override()])
        if base.hydra.job.chdir:
            raise cfg.ConfigError(
                "hydra.job.chdir=true: relative paths would mean other places inside the jobs, which write into their "
                "own directories anyway; leave it false"
            )
        multirun = multirun or base.hydra.mode == RunMode.MULTIRUN
        stock = OmegaConf.select(base, "hydra.sweeper._target_") == STOCK_SWEEPER
        params = OmegaConf.to_container(base.hydra.sweeper).get("params") or {}  # type: ignore[union-attr]
        overrides = _with_files(configs, resolver, base, params if multirun and stock else {}, overrides)
        if multirun and stock:
            jobs = jobs_of_sweep(configs.parse([*(f"{key}={value}" for key, value in params.items()), *overrides]))
        else:
            jobs = [_sample(configs, overrides, params) if multirun else overrides]
        composed = [cfg.validate(configs.job(job)) for job in jobs]
        configs.check_resolved([*params, *(override.partition("=")[0] for override in overrides)])
    return Plan(composed, overrides, complete=stock or not multirun)


def _with_files(
    configs: Configs, resolver: Interpolations, base: DictConfig, params: Mapping[str, object], overrides: Sequence[str]
) -> list[str]:
    """The overrides, after those that resolve the YAML files: the command line prevails as it did."""
    of_files = [own for own in resolver.values(cfg.without_hydra(base)) if own.partition("=")[0] not in params]
    swept = [f"{key}={value}" for key, value in params.items()]
    resolved = [resolver.override(given) for given in configs.expanded(swept)]
    return [*of_files, *(own for own, before in zip(resolved, swept, strict=True) if own != before), *overrides]


def compose_one(overrides: Sequence[str], *, multirun: bool, more_configs: str | None = None) -> DictConfig:
    """The config of one job, for printing: keys, options and types are checked as in `plan`, but values may be missing.
    Of swept keys, one value is taken."""
    with open_configs(more_configs) as configs:
        overrides = configs.expanded(overrides)
        for override in configs.parse(overrides):
            configs.check(override)
        return configs.job(_sample(configs, overrides, {}) if multirun else overrides)


def _sample(configs: Configs, overrides: Sequence[str], params: Mapping[str, object]) -> list[str]:
    """One job's overrides: those that are not swept, and one value of each that is."""
    sample = [_one_value(override) for override in configs.parse(overrides)]
    for key, value in params.items():
        if isinstance(value, str | int | float):  # all else, and what cannot be parsed, only the sweeper knows
            with suppress(HydraException):
                sample += [_one_value(override) for override in configs.parse(configs.expanded([f"{key}={value}"]))]
    return sample


def _one_value(override: Override) -> str:
    """The override itself, or with one value: the middle of an interval, the first of anything else."""
    if not override.is_sweep_override():
        return str(override.input_line)
    key = override.get_key_element()
    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        total = value.start + value.end
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        return f"{key}={total // 2 if whole else total / 2}"
    return f"{key}={next(override.sweep_string_iterator())}"
