"""What every config section is made of: sealing, the check of a choice, and the error that checks raise."""

from __future__ import annotations

import dataclasses
import difflib

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


def safe_name(key: str, found: str) -> None:
    """A name that becomes a part of a path: of a sweep, a job, its scores or a cached benchmark."""
    if found != MISSING and (problem := name_problem(found)):
        raise ConfigError(f"{key}: {problem}")


def did_you_mean(word: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean x?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
