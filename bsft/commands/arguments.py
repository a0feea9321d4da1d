"""`key=value` arguments of the `bsft-bench` commands, read into dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bsft.records.errors import BadInput
from bsft.records.paths import user_path

OptionsT = TypeVar("OptionsT")


def parse(kind: type[OptionsT], arguments: Sequence[str], command: str) -> OptionsT:
    """Options from `key=value` arguments; a key of a nested dataclass is `outer.inner`.

    Args:
        kind: a dataclass whose fields are the keys; those without a value are `MISSING`.
        arguments: what the user typed.
        command: what they typed it after, for messages.

    Raises:
        BadInput: an argument without `=`, an unknown key (with the nearest known one), a value of the wrong type, or a
            key that is missing.
    """
    known = list(_keys(kind))
    config = OmegaConf.structured(kind)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise BadInput(f"found {argument!r}, allowed: key=value; see {command} --help")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            raise BadInput(f"unknown key {key!r}{hint}")
        try:
            OmegaConf.update(config, key, None if value == "null" else value)
        except OmegaConfBaseException as error:
            raise BadInput(f"{key}: found {value!r}: {str(error).splitlines()[0]}") from None
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise BadInput(f"{missing[0]}: missing; give {missing[0]}=...")
    options = OmegaConf.to_object(config)
    assert isinstance(options, kind)
    _expand_homes(options)
    return options


def _expand_homes(options: Any) -> None:
    """A `Path` is one as the user writes it; shells leave `~` alone behind `=`."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            _expand_homes(value)
        elif isinstance(value, Path):
            setattr(options, field.name, user_path(str(value)))


def _keys(kind: Any, prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(kind):
        factory: Any = field.default_factory
        if dataclasses.is_dataclass(factory):
            yield from _keys(factory, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name
