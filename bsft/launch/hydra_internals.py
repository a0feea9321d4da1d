"""What the pre-flight needs of Hydra and Hydra calls private, with the reason. No other file of bsft imports any of it.

Whatever else is composed goes through the public `hydra.compose`.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.types import Override

STOCK_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
apply_values = ConfigLoaderImpl._apply_overrides_to_config
"""Applies values to a composed config in place. The public way composes anew, which takes 0.2 s: 500 jobs would be
planned in 100 s."""
options_parser = get_args_parser
"""The options of Hydra's command line, so that the pre-flight reads it as Hydra will. There is no public list."""


def initialize(task_name: str, directory: Path, more: Path | None) -> ConfigLoader:
    """Makes `hydra.compose` ready. The public `initialize_config_dir` takes one directory; Hydra's command line, which
    has to find the same files, also has that of `--config-dir`."""
    search_path = create_config_search_path(str(directory))
    if more is not None:
        search_path.prepend("command-line", f"file://{more}", anchor=SearchPathQuery(provider="schema"))
    return Hydra.create_main_hydra2(task_name, search_path).config_loader


def jobs_of_sweep(overrides: Sequence[Override]) -> list[list[str]]:
    """The jobs that the stock sweeper makes of overrides, in its order: a plan has to name exactly these."""
    [jobs] = BasicSweeper.split_arguments(list(overrides), None)
    return jobs
