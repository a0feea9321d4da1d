"""Where bsft keeps what it makes once: converted weights and generated benchmarks."""

import os
from pathlib import Path

import platformdirs

from bsft.records.errors import BadInput


def expand_home(text: str) -> str:
    """A path with `~` as the user's home, which shells leave alone after `=`; `./~x` is a directory of that name.

    Raises:
        BadInput: the home of a user that there is not.
    """
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise BadInput(f"{text}: no such user; a directory of that name is ./{text}") from None


def user_path(text: str) -> Path:
    """A path as a user writes it."""
    return Path(expand_home(text))


def cache_dir() -> Path:
    """`$BSFT_CACHE`, or the user's cache directory."""
    return user_path(os.environ.get("BSFT_CACHE") or platformdirs.user_cache_dir("bsft"))


def config_dir() -> Path:
    """The Hydra configs: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"
