"""A sweeper that searches as Optuna's does: it reads `choice`, `range` and `interval` itself and asks for values.

In tests/ because Hydra takes plugins only from the namespace package `hydra_plugins`.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class BothEnds(Sweeper):
    """Two trials: the first and the last value of every swept key; keeps what they returned in `values`."""

    values: list[Any] = []  # noqa: RUF012

    def __init__(self, params: dict[str, str] | None) -> None:
        self._params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        everything = [*(f"{key}={value}" for key, value in self._params.items()), *arguments]
        trials: list[list[str]] = [[], []]
        for override in OverridesParser.create().parse_overrides(everything):
            if override.is_sweep_override():
                value: Any = override.value()
                found = [value.start, value.end] if isinstance(value, IntervalSweep) else [*override.sweep_iterator()]
                ends = (found[0], found[-1])
            else:
                ends = (override.get_value_element_as_str(),) * 2
            for trial, end in zip(trials, ends, strict=True):
                trial.append(f"{override.get_key_element()}={end}")
        BothEnds.values = [job.return_value for job in self._launcher.launch(trials, initial_job_idx=0)]


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="both_ends",
    node=OmegaConf.create({"_target_": f"{__name__}.BothEnds", "params": None}),
    provider="tests",
)
