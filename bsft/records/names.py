"""Names that become parts of paths: of sweeps, models, splits, files that a manifest lists."""

import os
import re
import unicodedata
from pathlib import Path

from bsft.records.errors import BadInput

MAX_NAME_BYTES = 64
"""A job's directory has two names, a seed and a hash in its own name, which file systems limit to 255 bytes."""
NAME_RULE = (
    f"letters, digits, '.', '_' and '-', a letter, digit or '_' first, no '.' last, at most {MAX_NAME_BYTES} bytes"
)
FILE_NAME_RULE = "the name of a file in the same directory, without '/', '\\', a leading '.' or control characters"

_NAME = re.compile(r"\w(?:[\w.-]*[\w-])?")
_UNSAFE = re.compile(r"[^\w.-]+")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that Windows does not take for files, whatever their ending."""


def is_name(text: str) -> bool:
    """Whether a text may be one component of a path, on any system."""
    return (
        _NAME.fullmatch(text) is not None
        and _DEVICES.fullmatch(text) is None
        and len(text.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    )


def name_problem(text: str) -> str | None:
    """What is wrong with a text as a name, what is allowed and what would do; None if nothing is."""
    if is_name(text):
        return None
    return f"found {text!r}, allowed: {NAME_RULE}; for example {slug(text)}"


def slug(text: str) -> str:
    """A name that can be read as the text was: `org/name` becomes `org-name`."""
    parts = [_UNSAFE.sub("-", unicodedata.normalize("NFKC", part)).strip("-.") for part in re.split(r"[/\\]", text)]
    whole = "-".join(filter(None, parts))
    cut = whole.encode("utf-8", "ignore")[:MAX_NAME_BYTES].decode("utf-8", "ignore").strip("-.")
    return cut if is_name(cut) else f"x{cut}"[: MAX_NAME_BYTES // 2].rstrip("-.")


def is_file_name(text: str) -> bool:
    """Whether a text that stands in data may name a file beside it. Others' files may have spaces and brackets."""
    return (
        text != ""
        and not text.startswith(".")
        and not any(c in "/\\" or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)
        and len(text.encode("utf-8")) <= 255
    )


def listed_file(listing: Path, field: str, name: str) -> Path:
    """The file that a listing beside it names in a field: a regular file in the same directory, and no way out of it.

    Raises:
        BadInput: the name leads elsewhere, or what it names is missing, not a regular file, or a link to a place
            outside.
    """
    if not is_file_name(name):
        raise BadInput(f"{listing}: field {field}: found {name!r}, allowed: {FILE_NAME_RULE}")
    file = listing.parent / name
    if not os.path.lexists(file):
        raise BadInput(f"{file}: no such file, though {listing.name} lists it")
    inside = listing.parent.resolve()
    if file.is_symlink() and inside not in file.resolve().parents:
        raise BadInput(f"{file}: is a link to a place outside {inside}, which {listing.name} may not list")
    if not file.is_file():
        raise BadInput(f"{file}: not a regular file, though {listing.name} lists it")
    return file
