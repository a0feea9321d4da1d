"""What several commands share: types of their options, configs from overrides, and how JSON is written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token

from bsft.records.errors import BadInput
from bsft.records.escaping import json_text
from bsft.records.paths import user_path

if TYPE_CHECKING:
    from bsft.config import Config


def _path(_: Any, tokens: Sequence[Token]) -> Path:
    return user_path(tokens[0].value)


UserPath = Annotated[Path, Parameter(converter=_path)]
"""A path with `~` as the user's home, which shells leave alone after `=`."""
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
"""False unless it is given."""
Json = Annotated[Flag, Parameter(help="print JSON, and nothing else")]
Flat = Parameter(name="*")
"""Marks a dataclass whose fields are options."""


def write_json(found: Any) -> None:
    """Writes a value to stdout, where nothing else may be then."""
    sys.stdout.write(json_text(found) + "\n")


def planned(overrides: Sequence[str], *, multirun: bool = False) -> list[Config]:
    """The jobs that Hydra overrides mean, composed and checked.

    Raises:
        BadInput, ConfigError: an override is wrong.
    """
    from hydra.errors import HydraException

    from bsft.launch import plan

    try:
        return list(plan(overrides, multirun=multirun).jobs)
    except HydraException as error:
        raise BadInput(" ".join(str(error).split())) from None
