"""What every config section is made of: sealing, checks of single values, and the error they raise."""

from __future__ import annotations

import dataclasses
import difflib
import math

from omegaconf import MISSING

from bsft.records.names import name_problem


class ConfigError(Exception):
    """The configuration is wrong; the message says which key, what was found and what is allowed."""


class Section:
    """Base of all config sections. A section can be sealed, after which it cannot be changed."""

    _sealed: bool = False

    def __setattr__(self, name: str, value: object) -> None:
        if self._sealed:
            raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r}: the configuration is frozen")
        object.__setattr__(self, name, value)

    def seal(self) -> None:
        """Freezes this section and every section below it."""
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Section):
                value.seal()
        object.__setattr__(self, "_sealed", True)


def one_of(key: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise ConfigError(f"{key}={found}: allowed are {', '.join(allowed)}{did_you_mean(found, allowed)}")


def at_least(key: str, found: float | None, least: float) -> None:
    """None is not a value and passes; nan is never enough."""
    if found is not None and not found >= least:
        raise ConfigError(f"{key}={found}: must be at least {least}")


def positive(key: str, found: float) -> None:
    if not 0 < found < math.inf:
        raise ConfigError(f"{key}={found}: must be positive and finite")


def share(key: str, found: float) -> None:
    """A share is in [0, 1]."""
    if not 0 <= found <= 1:
        raise ConfigError(f"{key}={found}: must be in [0, 1]")


def below_one(key: str, found: float) -> None:
    if not 0 <= found < 1:
        raise ConfigError(f"{key}={found}: must be in [0, 1)")


def safe_name(key: str, found: str) -> None:
    """A name that becomes a part of a path: of a sweep, a job, its scores or a cached benchmark."""
    if found != MISSING and (problem := name_problem(found)):
        raise ConfigError(f"{key}: {problem}")


def did_you_mean(word: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean x?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
