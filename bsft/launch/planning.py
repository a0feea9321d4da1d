"""The jobs that a command line means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from bsft import config as cfg
from bsft.launch.composing import Composer, Configs, open_configs
from bsft.launch.hydra_internals import STOCK_SWEEPER, jobs_of_sweep
from bsft.launch.keys import check_directory
from bsft.launch.prepare import is_done
from bsft.launch.resolving import Interpolations, expanded
from bsft.runs.identity import register_resolver


@dataclass(frozen=True)
class Plan:
    """The jobs of one command, checked, and the overrides that mean them, whenever they are composed again.

    `complete` is False when a sweeper of the user's decides on the jobs while they run; `jobs` is then one sample, made
    of the first (or middle) of each swept key's values.
    """

    jobs: list[cfg.Config]
    multirun: bool
    dry_run: bool
    overrides: list[str]
    complete: bool = True

    @property
    def pending(self) -> list[cfg.Config]:
        return [job for job in self.jobs if job.redo or not is_done(job)]


def plan(overrides: Sequence[str], *, multirun: bool, more_configs: str | None = None) -> Plan:
    """Composes and checks every job that a command line means.

    Args:
        more_configs: a directory with YAML files of the user's own (`--config-dir`).

    Raises:
        ConfigError, BadInput, HydraException: what is wrong, with the key or file.
    """
    cfg.register()
    register_resolver()
    with open_configs(more_configs) as configs:
        resolver = Interpolations()
        overrides = [resolver.override(given) for given in expanded(configs, overrides)]
        parsed = configs.parse(overrides)
        for override in parsed:
            configs.check(override)
        choices = [override for override in parsed if configs.is_choice(override)]
        fixed = [choice for choice in choices if not choice.is_sweep_override()]
        base = configs.compose(fixed)
        check_directory(base)
        multirun = multirun or base.hydra.mode == RunMode.MULTIRUN
        stock = OmegaConf.select(base, "hydra.sweeper._target_") == STOCK_SWEEPER
        params = OmegaConf.to_container(base.hydra.sweeper).get("params") or {}  # type: ignore[union-attr]
        overrides = _with_files(configs, resolver, base, params if multirun and stock else {}, overrides)
        known = {tuple(str(choice.input_line) for choice in fixed): base} if fixed == choices else {}
        compose = Composer(configs, known)
        if multirun and stock:
            everything = configs.parse([*(f"{key}={value}" for key, value in params.items()), *overrides])
            jobs = [compose(job) for job in jobs_of_sweep(everything)]
        elif multirun:
            jobs = [compose(_sample(configs, configs.parse(overrides), params))]
        else:
            jobs = [compose(list(overrides))]
        compose.check_resolved([*params, *(override.partition("=")[0] for override in overrides)])
    dry_run = any(job.dry_run for job in jobs)
    return Plan(jobs, multirun, dry_run, list(overrides), complete=stock or not multirun)


def _with_files(
    configs: Configs,
    resolver: Interpolations,
    base: DictConfig,
    params: Mapping[str, object],
    overrides: Sequence[str],
) -> list[str]:
    """The overrides, after those that resolve the YAML files: the command line prevails as it did."""
    without_hydra = OmegaConf.masked_copy(base, [str(key) for key in base if key != "hydra"])
    of_files = [own for own in resolver.values(without_hydra) if own.partition("=")[0] not in params]
    swept = [f"{key}={value}" for key, value in params.items()]
    resolved = [resolver.override(given) for given in expanded(configs, swept)]
    resolved = [own for own, before in zip(resolved, swept, strict=True) if own != before]
    return [*of_files, *resolved, *overrides]


def compose_one(overrides: Sequence[str], *, multirun: bool, more_configs: str | None = None) -> DictConfig:
    """The config of one job, for printing: keys, options and types are checked, but values may be missing.

    Args:
        multirun: of swept keys, take one value.

    Raises:
        ConfigError, BadInput, HydraException: what is wrong, with the key.
    """
    with open_configs(more_configs) as configs:
        overrides = expanded(configs, overrides)
        parsed = configs.parse(overrides)
        for override in parsed:
            configs.check(override)
        sample = [_one_value(override) for override in parsed] if multirun else list(overrides)
        return Composer(configs, {}).compose(sample)


def _sample(configs: Configs, parsed: Sequence[Override], params: Mapping[str, object]) -> list[str]:
    """One job's overrides: those that are not swept, and one value of each that is."""
    sample = [_one_value(override) for override in parsed]
    for key, value in params.items():
        if not isinstance(value, str | int | float):
            continue  # a form that only the sweeper knows
        try:
            [override] = configs.parse(expanded(configs, [f"{key}={value}"]))
        except HydraException:
            continue
        sample.append(_one_value(override))
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
