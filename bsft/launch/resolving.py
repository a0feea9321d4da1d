"""Interpolations that may have another value later, resolved once for the pre-flight and for all jobs.

A job is composed twice: by the pre-flight, and by Hydra when it runs, on a cluster in another process and hours later.
The time, the environment and the like must be the same in both, so that Hydra is given their values in
their place. Globs become the options that they match, without the schemas that stand beside them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bsft import config as cfg
from bsft.records.paths import expand_home

if TYPE_CHECKING:
    from bsft.launch.composing import Configs

_STABLE = {
    "bsft.home", "bsft.job", "hydra", "oc.create", "oc.decode", "oc.deprecated", "oc.dict.keys", "oc.dict.values",
    "oc.select", "python_version",
}  # fmt: skip
"""Resolvers that give the same again for the same config."""
_PURE = {"oc.create", "oc.decode", "python_version"}
"""Those of them that do not depend on the config."""
_INTERPOLATION = re.compile(r"\$\{\s*(?P<resolver>[A-Za-z_][\w.]*\s*:)?")
_HOME = re.compile(r"(?:(?<=[,\[])|^)~[\w.-]*(?=[/,\]]|$)")
_PLAIN = re.compile(r"[\w.\-/@%+:]*")
"""Text that means itself on Hydra's command line."""


def expanded(configs: Configs, given: Sequence[str]) -> list[str]:
    """The overrides with the options that their globs match, and with homes for `~`.

    Raises:
        ConfigError: a glob that matches nothing.
        BadInput: the home of a user that there is not.
        HydraException: an override that cannot be parsed.
    """
    return [_expanded(configs, override) for override in configs.parse([_with_home(text) for text in given])]


def _with_home(text: str) -> str:
    """Hydra's grammar knows no `~` at the beginning of a value."""
    key, equals, value = text.partition("=")
    if value.startswith("~") and not set(value) & set(",'\""):
        return f"{key}={QuotedString(expand_home(value), Quote.single).with_quotes()}"
    return key + equals + _HOME.sub(lambda home: expand_home(home.group()), value)


def _expanded(configs: Configs, override: Override) -> str:
    glob: Any = override.value()
    if not isinstance(glob, Glob):
        return str(override.input_line)
    group = override.key_or_group
    options = configs.options(group)
    if not (found := glob.filter(options)):
        there = ", ".join(options) or "none"
        raise cfg.ConfigError(f"{override.input_line}: matches no option of {group} (there are: {there})")
    return f"{override.get_key_element()}={','.join(found)}"


class Interpolations:
    """Resolves interpolations; the same one gets the same value wherever it stands."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    def override(self, given: str) -> str:
        """An override of a command line, its interpolations resolved as far as they can be."""
        key, equals, value = given.partition("=")
        if not equals:
            return given
        if (literal := self._whole(value)) is not None:
            return f"{key}={literal}"
        resolved = self._resolved(value)
        # inside of other text a value has to mean itself on the command line
        return f"{key}={resolved}" if all(map(_PLAIN.fullmatch, self._values_in(value))) else given

    def values(self, composed: DictConfig) -> list[str]:
        """Overrides that resolve what the YAML files of a composed config leave open."""
        found = []
        for key, raw in changing_interpolations(composed):
            literal = self._whole(raw) or QuotedString(self._resolved(raw), Quote.single).with_quotes()
            if self._whole(raw) or self._resolved(raw) != raw:
                found.append(f"{key}={literal}")
        return found

    def _whole(self, text: str) -> str | None:
        """The literal for a text that is one interpolation; None for another text and where it has no value."""
        if list(_spans(text)) != [(0, len(text))] or not _can_change(text):
            return None
        return None if (value := self._value(text)) == text else _literal(value)

    def _resolved(self, text: str) -> str:
        for start, end in reversed(list(_spans(text))):
            if _can_change(text[start:end]):
                text = text[:start] + str(self._value(text[start:end])) + text[end:]
        return text

    def _values_in(self, text: str) -> list[str]:
        """The values of the interpolations in a text."""
        spans = [text[start:end] for start, end in _spans(text)]
        return [str(self._value(span)) for span in spans if _can_change(span)]

    def _value(self, span: str) -> object:
        """An interpolation's value; itself where there is none, which composing then says better."""
        if span not in self._values:
            try:
                self._values[span] = OmegaConf.create({"value": span})["value"]
            except OmegaConfBaseException:
                self._values[span] = span
        return self._values[span]


def changing_interpolations(composed: DictConfig) -> Iterator[tuple[str, str]]:
    """Keys whose text, as the files have it, may resolve to another value the next time."""
    values = cast(dict[str, object], OmegaConf.to_container(composed, resolve=False))
    for key, value in values.items():
        yield from _changing_in(value, key)


def _changing_in(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _changing_in(child, f"{key}.{name}")
    elif isinstance(value, str) and any(_can_change(value[start:end]) for start, end in _spans(value)):
        yield key, value


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost `${...}` of a text stand."""
    depth = start = 0
    for place in range(len(text)):
        if text.startswith("${", place) and not text.startswith("\\", place - 1 if place else len(text)):
            start = start if depth else place
            depth += 1
        elif text[place] == "}" and depth:
            depth -= 1
            if not depth:
                yield start, place + 1


def _can_change(span: str) -> bool:
    """Whether an interpolation may have another value the next time, and depends on nothing in the config around it."""
    resolvers = {str(found["resolver"] or "").rstrip(": \t") for found in _INTERPOLATION.finditer(span)}
    return not resolvers <= _STABLE and not resolvers & ((_STABLE - _PURE) | {""})


def _literal(value: object) -> str | None:
    """A value as Hydra's command line has it; None for one that has no such form."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return None if "${" in value else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, list | ListConfig):
        parts = [_literal(part) for part in value]
        return None if None in parts else f"[{','.join(map(str, parts))}]"
    return None
