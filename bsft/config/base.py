"""What every config section is made of: fields that say what they allow, sealing, and the error of a wrong config."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from omegaconf import MISSING

from bsft.records.errors import quoted
from bsft.records.names import name_problem
from bsft.records.paths import expand_home

MAX_SEED = 2**32 - 1
"""NumPy takes no larger one."""
MAX_COUNT = 10**9
"""Of steps, items and tokens: more than anything that is ever counted, and what arrays can index."""


class ConfigError(Exception):
    """The configuration is wrong; the message says which key, what was found and what is allowed."""


class Section:
    """Base of all config sections. Each field checks itself; a section that is sealed cannot be changed any more."""

    _prefix = ""
    _sealed = False

    def __init_subclass__(cls, prefix: str | None = None) -> None:
        """`prefix` is what stands before a field's name in its dotted key."""
        if prefix is not None:
            cls._prefix = prefix

    def __post_init__(self) -> None:
        """
        Raises:
            ConfigError: a value is not allowed; names the key, what was found and what is allowed.
        """
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            found = getattr(self, f.name)
            if "check" in f.metadata and found is not None and found != MISSING:
                setattr(self, f.name, f.metadata["check"](f"{self._prefix}{f.name}", found))
        self.check()

    def check(self) -> None:
        """Raises `ConfigError` where values contradict each other."""

    def __setattr__(self, name: str, value: object) -> None:
        if self._sealed:
            raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r}: the configuration is frozen")
        object.__setattr__(self, name, value)

    def seal(self) -> None:
        """Freezes this section and every section below it.

        Raises:
            ConfigError: it holds what its schema does not have.
        """
        known = [f.name for f in dataclasses.fields(self)]  # type: ignore[arg-type]
        for name, value in vars(self).items():
            if name not in known:
                raise ConfigError(f"unknown key {self._prefix}{name}{did_you_mean(name, known)}")
            if isinstance(value, Section):
                value.seal()
        object.__setattr__(self, "_sealed", True)


# --- fields: their default, and what else they may be; None is no value and always passes ---


def number(
    default: float | None, least: float, most: float = MAX_COUNT, *, above: bool = False, below: bool = False
) -> Any:
    """A number from `least` to `most`, without `least` itself (`above`) or `most` itself (`below`)."""

    def check(key: str, found: float) -> float:
        if (least < found if above else least <= found) and (found < most if below else found <= most):
            return found
        at_least, at_most = "above" if above else "at least", "below" if below else "at most"
        raise ConfigError(f"{key}={quoted(found)}: must be {at_least} {least} and {at_most} {most}")

    return dataclasses.field(default=default, metadata={"check": check})


def choice(default: str | None, *allowed: str) -> Any:
    """One of some words."""
    return dataclasses.field(default=default, metadata={"check": lambda key, found: one_of(key, found, allowed)})


def safe_name(default: str = MISSING) -> Any:
    """A name that becomes a part of a path: of a sweep, a job, its scores or a cached benchmark."""

    def check(key: str, found: str) -> str:
        if problem := name_problem(found):
            raise ConfigError(f"{key}: {problem}")
        return found

    return dataclasses.field(default=default, metadata={"check": check})


def user_path(default: str | None = MISSING) -> Any:
    """A path, in which `~` becomes the user's home."""
    return dataclasses.field(default=default, metadata={"check": lambda key, found: expand_home(found)})


def one_of(key: str, found: str, allowed: Sequence[str]) -> str:
    if found not in allowed:
        raise ConfigError(f"{key}={found}: allowed are {', '.join(allowed)}{did_you_mean(found, allowed)}")
    return found


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean x?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
