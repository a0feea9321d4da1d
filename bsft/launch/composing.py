"""Composing: Hydra's loader over our configs, what it offers, and jobs made with it at the least cost."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path

import hydra
from hydra import version
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from bsft import config as cfg
from bsft.launch.hydra_internals import apply_values, initialize
from bsft.launch.keys import check_added, check_value
from bsft.launch.resolving import changing_interpolations
from bsft.records.errors import BadInput
from bsft.records.paths import config_dir, user_path
from bsft.records.untrusted import check_structure, read_text

_WHILE_COMPOSING = " raised while composing config:"


class Configs:
    """What there is to compose from. Each question to Hydra's loader copies its whole repository: it is asked once."""

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader = loader
        self._parser = OverridesParser.create(config_loader=loader)
        self._options: dict[str, list[str]] = {}

    @cached_property
    def groups(self) -> list[str]:
        return list(self.loader.list_groups(""))

    def options(self, group: str) -> list[str]:
        """A group's options, without the schemas that they are based on."""
        if group not in self._options:
            found = self.loader.get_group_options(group)
            self._options[group] = [option for option in found if not option.startswith("schema_")]
        return self._options[group]

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """
        Raises:
            HydraException: an override that is none.
            ConfigError: one that Hydra's parser cannot take apart.
        """
        return [self._parsed(override) for override in overrides]

    def _parsed(self, override: str) -> Override:
        try:
            [parsed] = self._parser.parse_overrides([override])
        except (ValueError, RecursionError):
            raise cfg.ConfigError(
                f"{override[:60]}...: allowed are numbers of up to 4,300 digits, and brackets that are not nested deep"
            ) from None
        return parsed

    def is_choice(self, override: Override) -> bool:
        """It chooses an option of a group, of Hydra's own too, or sets a value of Hydra's."""
        return override.key_or_group in self.groups or override.is_hydra_override()

    def check_option(self, choice: Override) -> None:
        """
        Raises:
            ConfigError: the group has no such option; names the nearest.
        """
        group, option = choice.key_or_group, choice.value()
        if group in self.groups and isinstance(option, str | None) and option not in self.options(group):
            near, allowed = cfg.did_you_mean(option or "", self.options(group)), ", ".join(self.options(group))
            raise cfg.ConfigError(f"{choice.input_line}: no such {group}{near} (allowed: {allowed})")

    def check(self, override: Override) -> None:
        """Checks what can be seen from an override alone."""
        check_added(override, is_choice=self.is_choice(override))
        self.check_option(override)

    def compose(self, choices: Sequence[Override]) -> DictConfig:
        """The whole config, Hydra's node included.

        Raises:
            HydraException: a choice is swept.
        """
        return hydra.compose("config", [str(choice.input_line) for choice in choices], return_hydra_config=True)


@contextlib.contextmanager
def open_configs(more_configs: str | None) -> Iterator[Configs]:
    """The configs over the same search path that Hydra's command line would have.

    Args:
        more_configs: a directory with YAML files of the user's own (`--config-dir`).
    """
    version.setbase("1.3")
    directory = None
    if more_configs is not None:
        directory = user_path(more_configs).absolute()
        if not directory.is_dir():
            raise BadInput(f"--config-dir {more_configs}: no such directory")
        _check_files(directory)
    try:
        yield Configs(initialize("bsft-train", config_dir(), directory))
    finally:
        GlobalHydra.instance().clear()


class Composer:
    """Composes jobs, one full Hydra composition per combination of group choices; values are applied on a copy.

    A sweep of 500 seeds then costs one composition instead of 500.
    """

    def __init__(self, configs: Configs, composed: Mapping[tuple[str, ...], DictConfig]) -> None:
        """
        Args:
            composed: what has been composed already, by its group choices.
        """
        self._configs = configs
        self._composed = {key: _without_hydra(whole) for key, whole in composed.items()}

    def __call__(self, overrides: Sequence[str]) -> cfg.Config:
        return cfg.validate(self.compose(overrides))

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """One job's config, its keys and types checked; a value may still be missing."""
        parsed = self._configs.parse(overrides)
        choices = [o for o in parsed if self._configs.is_choice(o)]
        values = [o for o in parsed if not self._configs.is_choice(o)]
        key = tuple(o.input_line or "" for o in choices)
        if key not in self._composed:
            for choice in choices:
                self._configs.check_option(choice)
            self._composed[key] = _without_hydra(self._configs.compose(choices))
        composed = deepcopy(self._composed[key])
        for override in values:
            check_value(composed, override)
        try:
            apply_values(values, composed)
        except (HydraException, OmegaConfBaseException) as error:
            raise cfg.ConfigError(first_sentence(error)) from None
        return composed

    def check_resolved(self, given: Collection[str]) -> None:
        """
        Args:
            given: keys whose values do not come from the YAML files.

        Raises:
            ConfigError: an option that only some jobs choose asks for something that may change before they run.
        """
        for composed in self._composed.values():
            for key, raw in changing_interpolations(composed):
                if key not in given:
                    raise cfg.ConfigError(
                        f"{key}: {raw} may be another value when the job runs; give {key}=... on the command line"
                    )


def _without_hydra(whole: DictConfig) -> DictConfig:
    with open_dict(whole):
        del whole["hydra"]
    return whole


def first_sentence(error: Exception) -> str:
    """What an error says, in one line; one of OmegaConf's begins with the key, one of a file's with its name."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    key = next((line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")), None)
    if key is None:
        # Hydra appends where it searched, and counts our schemas among the options
        words = str(error).partition("Config search path:")[0].split()
        return " ".join(word for word in words if not word.startswith("schema_"))
    place, raised, _ = lines[0].partition(_WHILE_COMPOSING)
    if raised:  # by a YAML file: the reason is in the next line
        return f"{key}: {lines[1]} ({place.rpartition(':')[0]})"
    return f"{key}: {lines[0]}"


def _check_files(directory: Path) -> None:
    """Hydra would read them without any limit."""
    for file in sorted(directory.rglob("*.yaml")):
        check_structure(read_text(file), str(file))
