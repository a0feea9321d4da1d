"""What would be another value when it is looked up again, settled once for the pre-flight and for all jobs.

A job is composed twice: by the pre-flight, and by Hydra when it runs, on a cluster in another process and hours later.
The time, the environment and the like must be the same in both, so that Hydra is given their values in place of the
questions. Globs become the options that they match, without the schemas that stand beside them.
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
"""Those of them that ask nothing of the config."""
_QUESTION = re.compile(r"\$\{\s*(?P<resolver>[A-Za-z_][\w.]*\s*:)?")
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


class Settler:
    """Answers questions; the same one gets the same answer wherever it stands."""

    def __init__(self) -> None:
        self._answers: dict[str, object] = {}

    def override(self, given: str) -> str:
        """An override of a command line, its questions answered as far as they can be."""
        key, equals, value = given.partition("=")
        if not equals:
            return given
        if (literal := self._whole(value)) is not None:
            return f"{key}={literal}"
        answered = self._answered(value)
        # inside of other text an answer has to mean itself on the command line
        return f"{key}={answered}" if all(map(_PLAIN.fullmatch, self._told(value))) else given

    def values(self, composed: DictConfig) -> list[str]:
        """Overrides that answer what the YAML files of a composed config ask."""
        found = []
        for key, raw in questions(composed):
            literal = self._whole(raw) or QuotedString(self._answered(raw), Quote.single).with_quotes()
            if self._whole(raw) or self._answered(raw) != raw:
                found.append(f"{key}={literal}")
        return found

    def _whole(self, text: str) -> str | None:
        """The literal for a text that is one question; None for another text and where there is no answer."""
        if list(_spans(text)) != [(0, len(text))] or not _can_be_settled(text):
            return None
        return None if (answer := self._answer(text)) == text else _literal(answer)

    def _answered(self, text: str) -> str:
        for start, end in reversed(list(_spans(text))):
            if _can_be_settled(text[start:end]):
                text = text[:start] + str(self._answer(text[start:end])) + text[end:]
        return text

    def _told(self, text: str) -> list[str]:
        """The answers to the questions in a text."""
        spans = [text[start:end] for start, end in _spans(text)]
        return [str(self._answer(span)) for span in spans if _can_be_settled(span)]

    def _answer(self, span: str) -> object:
        """What a question is answered; the question itself where there is none, which composing then says better."""
        if span not in self._answers:
            try:
                self._answers[span] = OmegaConf.create({"value": span})["value"]
            except OmegaConfBaseException:
                self._answers[span] = span
        return self._answers[span]


def questions(composed: DictConfig) -> Iterator[tuple[str, str]]:
    """Keys whose text, as the files have it, may be another value the next time."""
    values = cast(dict[str, object], OmegaConf.to_container(composed, resolve=False))
    for key, value in values.items():
        yield from _questions_of(value, key)


def _questions_of(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _questions_of(child, f"{key}.{name}")
    elif isinstance(value, str) and any(_can_be_settled(value[start:end]) for start, end in _spans(value)):
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


def _can_be_settled(span: str) -> bool:
    """Whether a question may be answered otherwise the next time, and depends on nothing in the config around it."""
    resolvers = {str(found["resolver"] or "").rstrip(": \t") for found in _QUESTION.finditer(span)}
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
