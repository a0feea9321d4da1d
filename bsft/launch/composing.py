"""Composing: what Hydra's loader offers, and jobs made with it at the least cost. No key is added or removed, and a
misspelt one is answered with the nearest."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from typing import Any

import hydra
from hydra import version
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bsft import config as cfg
from bsft.launch.hydra_internals import apply_values, initialize
from bsft.launch.resolving import changing_interpolations
from bsft.records.errors import BadInput
from bsft.records.paths import config_dir, expand_home, user_path
from bsft.records.untrusted import check_structure, read_text

_WHILE_COMPOSING = " raised while composing config:"
_HOME = re.compile(r"(?:(?<=[,\[])|^)~[\w.-]*(?=[/,\]]|$)")


@contextlib.contextmanager
def open_configs(more_configs: str | None) -> Iterator[Configs]:
    """The configs over the same search path that Hydra's command line would have, with the user's own YAML files
    (`--config-dir`)."""
    version.setbase("1.3")
    directory = None
    if more_configs is not None:
        directory = user_path(more_configs).absolute()
        if not directory.is_dir():
            raise BadInput(f"--config-dir {more_configs}: no such directory")
        for file in sorted(directory.rglob("*.yaml")):  # Hydra would read them without any limit
            check_structure(read_text(file), str(file))
    try:
        yield Configs(initialize("bsft-train", config_dir(), directory))
    finally:
        GlobalHydra.instance().clear()


class Configs:
    """What there is to compose from, and jobs composed of it.

    Hydra composes once per combination of group choices; values are applied on a copy. A sweep of 500 seeds then costs
    one composition instead of 500. Each question to Hydra's loader copies its whole repository: it is asked once.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self._parser = OverridesParser.create(config_loader=loader)
        self._groups = list(loader.list_groups(""))
        self._options: dict[str, list[str]] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def options(self, group: str) -> list[str]:
        """A group's options, without the schemas that they are based on."""
        if group not in self._options:
            found = self._loader.get_group_options(group)
            self._options[group] = [option for option in found if not option.startswith("schema_")]
        return self._options[group]

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """
        Raises:
            HydraException: an override that is none.
            ConfigError: one that Hydra's parser cannot take apart.
        """
        parsed: list[Override] = []
        for override in overrides:
            try:
                parsed += self._parser.parse_overrides([override])
            except (ValueError, RecursionError):
                allowed = "numbers of up to 4,300 digits, and brackets that are not nested deep"
                raise cfg.ConfigError(f"{override[:60]}...: allowed are {allowed}") from None
        return parsed

    def expanded(self, given: Sequence[str]) -> list[str]:
        """The overrides with the options that their globs match, and with homes for `~`.

        Raises:
            ConfigError: a glob that matches nothing.
            BadInput: the home of a user that there is not.
            HydraException: an override that cannot be parsed.
        """
        return [self._expanded(override) for override in self.parse([_with_home(text) for text in given])]

    def _expanded(self, override: Override) -> str:
        glob: Any = override.value()
        if not isinstance(glob, Glob):
            return str(override.input_line)
        options = self.options(override.key_or_group)
        if not (found := glob.filter(options)):
            what, there = f"matches no option of {override.key_or_group}", ", ".join(options) or "none"
            raise cfg.ConfigError(f"{override.input_line}: {what} (there are: {there})")
        return f"{override.get_key_element()}={','.join(found)}"

    def is_choice(self, override: Override) -> bool:
        """It chooses an option of a group, of Hydra's own too, or sets a value of Hydra's."""
        return override.key_or_group in self._groups or override.is_hydra_override()

    def check(self, override: Override) -> None:
        """Raises `ConfigError` for `+key=value`, `~key`, or an option that the group does not have."""
        key = override.key_or_group
        if override.is_add() and not self.is_choice(override):
            near = cfg.did_you_mean(key, _all_keys())
            raise cfg.ConfigError(f"{key}: keys cannot be added{near} (--cfg job prints every key)")
        if override.is_delete():
            raise cfg.ConfigError(f"{override.input_line}: nothing can be removed from the configuration")
        option = override.value()
        if key in self._groups and isinstance(option, str | None) and option not in self.options(key):
            near, allowed = cfg.did_you_mean(option or "", self.options(key)), ", ".join(self.options(key))
            raise cfg.ConfigError(f"{override.input_line}: no such {key}{near} (allowed: {allowed})")

    def compose(self, choices: Sequence[Override]) -> DictConfig:
        """The whole config, Hydra's node included; raises `HydraException` where a choice is swept."""
        lines = tuple(str(choice.input_line) for choice in choices)
        whole = hydra.compose("config", list(lines), return_hydra_config=True)
        self._composed[lines] = cfg.without_hydra(whole)
        return whole

    def job(self, overrides: Sequence[str], onto: DictConfig | None = None) -> DictConfig:
        """One job's config, its keys and types checked (`ConfigError` names the key); a value may still be missing.
        The overrides are applied in `onto`, where it is given, instead of in the YAML files' own config."""
        parsed = self.parse(overrides)
        choices = [o for o in parsed if self.is_choice(o)]
        values = [o for o in parsed if not self.is_choice(o)]
        lines = tuple(str(choice.input_line) for choice in choices)
        if lines not in self._composed:
            for choice in choices:
                self.check(choice)
            self.compose(choices)
        composed = deepcopy(self._composed[lines])
        if onto is not None:
            chosen = {choice.key_or_group: composed[choice.key_or_group] for choice in choices}
            composed = deepcopy(onto)
            composed.update(chosen)
        for override in values:
            _check_value(composed, override)
        try:
            apply_values(values, composed)
        except (HydraException, OmegaConfBaseException) as error:
            raise cfg.ConfigError(first_sentence(error)) from None
        return composed

    def check_resolved(self, given: Collection[str]) -> None:
        """Raises `ConfigError` where an option that only some jobs choose asks, under another key than those given, for
        something that may change before they run."""
        for composed in self._composed.values():
            for key, raw in changing_interpolations(composed):
                if key not in given:
                    what = f"{raw} may be another value when the job runs"
                    raise cfg.ConfigError(f"{key}: {what}; give {key}=... on the command line")


def _with_home(text: str) -> str:
    """Hydra's grammar knows no `~` at the beginning of a value."""
    key, equals, value = text.partition("=")
    if value.startswith("~") and not set(value) & set(",'\""):
        return f"{key}={QuotedString(expand_home(value), Quote.single).with_quotes()}"
    return key + equals + _HOME.sub(lambda home: expand_home(home.group()), value)


def _check_value(composed: DictConfig, override: Override) -> None:
    """Raises `ConfigError` for several values where one is meant, or a key that the composed config does not have."""
    found, key = override.input_line, override.key_or_group
    if override.is_sweep_override():
        raise cfg.ConfigError(f"{found}: several values make a sweep; add -m (--multirun)")
    node: Any = composed
    seen: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node.keys():  # noqa: SIM118  ("in" is False for a key without a value)
            near = cfg.did_you_mean(key, _dotted(composed))
            allowed = ", ".join(sorted(map(str, node))) if isinstance(node, DictConfig) else "none"
            raise cfg.ConfigError(
                f"{found}: unknown key {key}{near} (keys of {'.'.join(seen) or 'the config'}: {allowed})"
            )
        node = node._get_node(part)
        seen.append(part)


def _dotted(node: DictConfig, prefix: str = "") -> list[str]:
    """Every key of a node, those below it included."""
    keys: list[str] = []
    for key in map(str, node):
        keys.append(f"{prefix}{key}")
        if not OmegaConf.is_missing(node, key) and isinstance(child := node[key], DictConfig):
            keys += _dotted(child, f"{prefix}{key}.")
    return keys


def _all_keys() -> list[str]:
    schemas = [(group, schema) for group, named in cfg.SCHEMAS.items() for schema in named.values()]
    keys = {key for group, schema in schemas for key in _dotted(OmegaConf.structured(schema), f"{group}.")}
    return sorted(keys | set(cfg.Config.__dataclass_fields__))


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
