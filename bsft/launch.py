"""From a command line to jobs: every job of a sweep is composed, checked and written down before the first starts.

Hydra composes again when it runs a job; this pre-flight makes sure that nothing fails late that could fail early.
Imports no torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from bsft import config as cfg
from bsft.bench.store import BadInput
from bsft.paths import config_dir
from bsft.runs import LOG, RunDirectory, identity, job_name, register_resolver

STOCK_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


@dataclass(frozen=True)
class Plan:
    """The jobs of one command, checked."""

    jobs: list[cfg.Config]
    multirun: bool
    dry_run: bool

    @property
    def pending(self) -> list[cfg.Config]:
        return [job for job in self.jobs if job.redo or not is_done(job)]


def is_done(config: cfg.Config) -> bool:
    """A job is done when its directory says so *and* its recorded identity is this one's."""
    directory = RunDirectory.of(config)
    return directory.status().state == "done" and directory.frozen_identity() == identity(config)


def plan(overrides: Sequence[str], *, multirun: bool, more_configs: str | None = None) -> Plan:
    """Composes and checks every job that a command line means.

    Args:
        more_configs: a directory with YAML files of the user's own (`--config-dir`).

    Raises:
        ConfigError, BadInput, HydraException: what is wrong, with the key or file.
    """
    cfg.register()
    register_resolver()
    with _config_loader(more_configs) as loader:
        groups = loader.list_groups("")
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
        for override in parsed:
            _check_override(override, groups)
            _check_option(override, loader)
        choices = [str(o.input_line) for o in parsed if _is_choice(o, groups)]
        base = loader.load_configuration("config", choices, run_mode=RunMode.MULTIRUN, validate_sweep_overrides=False)
        multirun = multirun or base.hydra.mode == RunMode.MULTIRUN
        if multirun and OmegaConf.select(base, "hydra.sweeper._target_") == STOCK_SWEEPER:
            params = [f"{k}={v}" for k, v in (base.hydra.sweeper.params or {}).items()]
            everything = OverridesParser.create(config_loader=loader).parse_overrides([*params, *overrides])
            [lists] = BasicSweeper.split_arguments(everything, None)
        else:
            lists = [list(overrides)]
        swept = any(o.is_sweep_override() for o in parsed if _is_choice(o, groups))
        compose = _Composer(loader, {} if swept else {tuple(choices): base})
        jobs = [compose(job) for job in lists]
    return Plan(jobs, multirun, any(job.dry_run for job in jobs))


@contextlib.contextmanager
def _config_loader(more_configs: str | None) -> Iterator[Any]:
    """Hydra's loader over the same search path that its command line would have."""
    version.setbase("1.3")
    search_path = create_config_search_path(str(config_dir()))
    if more_configs is not None:
        directory = Path(more_configs).absolute()
        if not directory.is_dir():
            raise BadInput(f"--config-dir {more_configs}: no such directory")
        search_path.prepend("command-line", f"file://{directory}", anchor=SearchPathQuery(provider="schema"))
    try:
        yield Hydra.create_main_hydra2("bsft-train", search_path).config_loader
    finally:
        GlobalHydra.instance().clear()


def _is_choice(override: Override, groups: Sequence[str]) -> bool:
    return override.key_or_group in groups or override.is_hydra_override()


def _check_override(override: Override, groups: Sequence[str]) -> None:
    if override.is_add() and not _is_choice(override, groups):
        raise cfg.ConfigError(
            f"{override.key_or_group}: keys cannot be added{cfg.did_you_mean(override.key_or_group, _all_keys())} "
            "(--cfg job prints every key)"
        )
    if override.is_delete():
        raise cfg.ConfigError(f"{override.input_line}: nothing can be removed from the configuration")


def _all_keys() -> list[str]:
    """Every key of every schema, dotted."""
    keys = set(cfg.Config.__dataclass_fields__)
    for group, schemas in cfg.SCHEMAS.items():
        for node in schemas.values():
            keys |= {f"{group}.{key}" for key in _dotted(OmegaConf.structured(node))}
    return sorted(keys)


def _dotted(node: DictConfig, prefix: str = "") -> list[str]:
    keys: list[str] = []
    for key in map(str, node):
        keys.append(f"{prefix}{key}")
        if not OmegaConf.is_missing(node, key) and isinstance(child := node[key], DictConfig):
            keys += _dotted(child, f"{prefix}{key}.")
    return keys


def _check_option(choice: Override, loader: Any) -> None:
    group, option = choice.key_or_group, choice.value()
    if group in loader.list_groups("") and isinstance(option, str | None):
        options = [o for o in loader.get_group_options(group) if not o.startswith("schema_")]
        if option not in options:
            near, allowed = cfg.did_you_mean(option or "", options), ", ".join(options)
            raise cfg.ConfigError(f"{choice.input_line}: no such {group}{near} (allowed: {allowed})")


class _Composer:
    """Composes jobs, one full Hydra composition per combination of group choices; values are applied on a copy.

    A sweep of 500 seeds then costs one composition instead of 500.
    """

    def __init__(self, loader: Any, composed: Mapping[tuple[str, ...], DictConfig]) -> None:
        """
        Args:
            composed: what has been composed already, by its group choices.
        """
        self._loader = loader
        self._groups = loader.list_groups("")
        self._parser = OverridesParser.create(config_loader=loader)
        self._composed = {key: _without_hydra(whole) for key, whole in composed.items()}

    def __call__(self, overrides: Sequence[str]) -> cfg.Config:
        parsed = self._parser.parse_overrides(list(overrides))
        choices = [o for o in parsed if _is_choice(o, self._groups)]
        values = [o for o in parsed if not _is_choice(o, self._groups)]
        key = tuple(o.input_line or "" for o in choices)
        if key not in self._composed:
            for choice in choices:
                _check_option(choice, self._loader)
            whole = self._loader.load_configuration("config", list(key), run_mode=RunMode.RUN)
            self._composed[key] = _without_hydra(whole)
        composed = deepcopy(self._composed[key])
        for override in values:
            _check_value_key(composed, override)
        try:
            ConfigLoaderImpl._apply_overrides_to_config(values, composed)
        except (HydraException, OmegaConfBaseException) as error:
            raise cfg.ConfigError(_first_sentence(error)) from None
        return cfg.validate(composed)


def _without_hydra(whole: DictConfig) -> DictConfig:
    with open_dict(whole):
        del whole["hydra"]
    return whole


def _check_value_key(composed: DictConfig, override: Override) -> None:
    """Refuses a key that the composed config does not have, naming the nearest that it has."""
    if override.is_sweep_override():
        raise cfg.ConfigError(f"{override.input_line}: several values make a sweep; add -m (--multirun)")
    key = override.key_or_group
    node: Any = composed
    seen = ""
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node.keys():  # noqa: SIM118  ("in" is False for a key without a value)
            near = cfg.did_you_mean(key, _dotted(composed))
            allowed = ", ".join(sorted(str(k) for k in node)) if isinstance(node, DictConfig) else "none"
            raise cfg.ConfigError(
                f"{override.input_line}: unknown key {key}{near} "
                f"(keys of {seen.rstrip('.') or 'the config'}: {allowed})"
            )
        node = node._get_node(part)
        seen += f"{part}."


def _first_sentence(error: Exception) -> str:
    cause = error.__cause__ or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    key = next((line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")), None)
    return f"{key}: {lines[0]}" if key else " ".join(str(error).split())


def main(task: Callable[[DictConfig], Any], argv: Sequence[str] | None = None) -> int:
    """The command `bsft-train`: pre-flight, then Hydra.

    Returns:
        0 when every job is done, 1 when one failed, 2 when the command line or its inputs are wrong.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    cfg.register()
    register_resolver()
    # Hydra itself wants all overrides in one place; here `model=tiny -m seed=0,1` works too
    parsed = get_args_parser().parse_intermixed_args(arguments)
    arguments = [a for a in arguments if a not in parsed.overrides] + parsed.overrides
    if parsed.help or parsed.hydra_help or parsed.cfg or parsed.info or parsed.shell_completion:
        return _hydra(task, arguments)
    console = Console(stderr=True)
    try:
        if parsed.config_path or parsed.config_name:
            raise cfg.ConfigError(
                "--config-path and --config-name are not supported; for YAML files of your own, for example "
                "mine/experiment/pilot.yaml, use --config-dir mine experiment=pilot"
            )
        planned = plan(parsed.overrides, multirun=parsed.multirun, more_configs=parsed.config_dir)
        pending = planned.pending
        if planned.dry_run:
            Console().print(_table(planned.jobs))
            return 0
        for job in pending:
            _prepare(job)
    except (cfg.ConfigError, BadInput, HydraException, OmegaConfBaseException) as error:
        _complain(console, f"bsft-train: {_first_sentence(error)}")
        return 2
    if skipped := len(planned.jobs) - len(pending):
        console.print(f"{skipped} of {len(planned.jobs)} jobs are already done", highlight=False)
    if pending:
        _hydra(task, arguments)
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return 0  # a further rank of one job: the first rank scores and answers for it
    failed = [job for job in planned.jobs if RunDirectory.of(job).status().state != "done"]
    for job in failed:
        status = RunDirectory.of(job).status()
        reason = f": {status.reason} (see {LOG} there)" if status.reason else ""
        _complain(console, f"{RunDirectory.of(job).path}: {status.state}{reason}")
    return 1 if failed else 0


def _complain(console: Console, sentence: str) -> None:
    console.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)


def _hydra(task: Callable[[DictConfig], Any], arguments: Sequence[str]) -> int:
    """Runs Hydra itself on the same command line; a failed job leaves its reason on disk, not in the exit value."""
    sys.argv[1:] = arguments
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(task)()
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:  # the job says so in its directory
        return 130
    return 0


def _prepare(job: cfg.Config) -> None:
    """Freezes the job's config in its directory; `redo` and a different identity start it over."""
    directory = RunDirectory.of(job)
    if job.redo:
        _start_over(directory.path)
    elif (frozen := directory.frozen_identity()) is not None and frozen != identity(job):
        raise BadInput(
            f"{directory.path}: belongs to another configuration with the same name; use redo=true or another sweep"
        )
    directory.freeze(job)
    if directory.status().state != "running" or job.redo:
        directory.set_status("queued")


def _start_over(path: Path) -> None:
    """Keeps the old results until the new run replaces them: they are moved aside, not deleted."""
    if path.exists():
        old = path.with_name(f".{path.name}.old")
        n = 0
        while old.exists():
            n += 1
            old = path.with_name(f".{path.name}.old{n}")
        path.rename(old)


def _table(jobs: Sequence[cfg.Config]) -> Table:
    table = Table(title=f"{len(jobs)} jobs")
    for column in ("job", "method", "model", "data", "seed", "state"):
        table.add_column(column, overflow="fold")
    for job in jobs:
        state = RunDirectory.of(job).status().state
        table.add_row(job_name(job), job.method.name, job.model.name, job.data.name, str(job.seed), state)
    return table
