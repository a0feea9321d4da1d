"""What a user is told when something that they gave is wrong."""

from __future__ import annotations

from pydantic import ValidationError


class BadInput(Exception):
    """Something the user gave is wrong; the message says where, what was found and what is allowed.

    It quotes what was found, so it is made one line of characters that can be printed.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message))


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
    found = _quoted(first["input"])
    return f"field {field}: found {found}: {reason[0].lower() + reason[1:]}"


def _quoted(value: object) -> str:
    try:
        found = repr(value)
    except ValueError:  # an integer that is too long to be written in decimal digits
        return "an integer of thousands of digits"
    return found if len(found) <= 60 else found[:57] + "..."
