"""Interpolations that may have another value later, resolved once for the pre-flight and for all jobs.

A job is composed twice: by the pre-flight, and by Hydra when it runs, on a cluster in another process and hours later.
The time, the environment and the like must be the same in both, so that Hydra is given their values in their place.
"""

import json
import re
from collections.abc import Iterator, Mapping

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

_PURE = {"oc.create", "oc.decode", "python_version"}
"""Resolvers that give the same again for the same argument."""
_OF_THE_CONFIG = {"", "bsft.home", "bsft.job", "hydra", "oc.deprecated", "oc.dict.keys", "oc.dict.values", "oc.select"}
"""Those that give the same again for the same config, as references to its keys do, which have no resolver."""
_INTERPOLATION = re.compile(r"\$\{\s*(?:(?P<resolver>[A-Za-z_][\w.]*)\s*:)?")
_PLAIN = re.compile(r"[\w.\-/@%+:]*")
"""Text that means itself on Hydra's command line."""


class Interpolations:
    """Resolves interpolations; the same one gets the same value wherever it stands."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    def override(self, given: str) -> str:
        """An override of a command line, its interpolations resolved as far as they can be."""
        key, _, value = given.partition("=")
        if (literal := self._literal(value)) is not None:
            return f"{key}={literal}"
        found = [str(self._value(value[start:end])) for start, end in _changing(value)]
        # inside of other text a value has to mean itself on the command line
        return f"{key}={self._filled(value)}" if found and all(map(_PLAIN.fullmatch, found)) else given

    def values(self, composed: DictConfig) -> list[str]:
        """Overrides that resolve what the YAML files of a composed config leave open."""
        found = []
        for key, raw in changing_interpolations(composed):
            if (literal := self._literal(raw)) is not None:
                found.append(f"{key}={literal}")
            elif (filled := self._filled(raw)) != raw:
                found.append(f"{key}={_quoted(filled)}")
        return found

    def _literal(self, text: str) -> str | None:
        """The literal for a text that is one interpolation; None for another text and where it has no value."""
        if list(_changing(text)) != [(0, len(text))] or (value := self._value(text)) == text:
            return None
        return _as_literal(value)

    def _filled(self, text: str) -> str:
        for start, end in reversed(list(_changing(text))):
            text = text[:start] + str(self._value(text[start:end])) + text[end:]
        return text

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
    yield from _changing_in(OmegaConf.to_container(composed, resolve=False), "")


def _changing_in(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _changing_in(child, f"{key}.{name}" if key else name)
    elif isinstance(value, str) and any(_changing(value)):
        yield key, value


def _changing(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost `${...}` of a text stand that may have another value the next time, and depend on nothing in
    the config around them."""
    depth = start = 0
    for place in range(len(text)):
        if text.startswith("${", place) and not text.startswith("\\", place - 1 if place else len(text)):
            start = start if depth else place
            depth += 1
        elif text[place] == "}" and depth:
            depth -= 1
            resolvers = {found["resolver"] or "" for found in _INTERPOLATION.finditer(text, start, place)}
            if not depth and not resolvers <= _PURE and not resolvers & _OF_THE_CONFIG:
                yield start, place + 1


def _as_literal(value: object) -> str | None:
    """A value as Hydra's command line has it; None for one that has no such form."""
    if isinstance(value, str):
        return None if "${" in value else _quoted(value)
    if isinstance(value, list | ListConfig):
        parts = [_as_literal(part) for part in value]
        return None if None in parts else f"[{','.join(map(str, parts))}]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, int | float) else None


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()
