"""What a user is told when something that they gave is wrong."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import ValidationError

_LONG_QUOTATION = re.compile(r"""(?<![^\s([{=])(['"])((?:(?!\1).){80})(?:(?!\1).){121,}\1""", re.DOTALL)
_NAMES = 20
"""Names that a message lists."""


class BadInput(Exception):
    """Something the user gave is wrong; the message says where, what was found and what is allowed.

    It quotes what was found, so long quotations are shortened, and all is made one line that can be printed.
    """

    def __init__(self, message: str) -> None:
        message = _LONG_QUOTATION.sub(r"\1\2...\1", message)
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message))


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many and not too long."""
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(map(shortened, names[:_NAMES])) + more


def shortened(text: str) -> str:
    """A text for a message, not too long."""
    return text if len(text) <= 60 else text[:57] + "..."


def reason_of(error: Exception, limit: int = 300) -> str:
    """What an error of somebody else's code says, as one line and not too long; its type where it says nothing."""
    return " ".join(str(error).split())[:limit] or type(error).__name__


def explain_os(error: OSError) -> str:
    """What the system says, with the file if it names one, as one line."""
    place = "" if error.filename is None else f"{error.filename}: "
    return str(BadInput(f"{place}{error.strerror or error}"))


def explain(error: ValidationError) -> str:
    """The first problem of a pydantic error as `field f: found x, <what is allowed>`."""
    first = error.errors()[0]
    field = ".".join(str(part)[:60] for part in first["loc"]) or "record"
    if first["type"] == "missing":
        return f"field {field}: missing"
    if first["type"] == "extra_forbidden":
        return f"field {field}: unknown field"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # a rule about a record as a whole, which names its fields itself
        return f"field {field}: {reason}" if first["loc"] else reason
    found = quoted(first["input"])
    if first["type"] == "dataclass_type":
        return f"field {field}: found {found}, allowed: a JSON object"
    return f"field {field}: found {found}: {reason[0].lower() + reason[1:]}"


def quoted(value: object) -> str:
    """A value for a message, not too long."""
    try:
        return shortened(repr(value))
    except ValueError:  # an integer that is too long to be written in decimal digits
        return "an integer of thousands of digits"


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turns a validation error of the block into `BadInput`, whose message begins with `place`."""
    try:
        yield
    except ValidationError as error:
        raise BadInput(f"{place}: {explain(error)}") from None
