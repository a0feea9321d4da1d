"""What a number of the configuration may be, so that a job that starts can work."""

from __future__ import annotations

import math

from bsft.config.base import ConfigError

MAX_SEED = 2**32 - 1
"""NumPy takes no larger one."""
MAX_COUNT = 10**9
"""Of steps, items and tokens: more than anything that is ever counted, and what arrays can index."""


def within(key: str, found: float | None, least: float, most: float = MAX_COUNT) -> None:
    """None is not a value and passes; NaN is nowhere.

    Raises:
        ConfigError: the value is outside; names the key, what was found and what is allowed.
    """
    if found is not None and not least <= found <= most:
        raise ConfigError(f"{key}={shown(found)}: must be at least {least} and at most {most}")


def positive(key: str, found: float, most: float = math.inf) -> None:
    """Above 0 and finite."""
    if not 0 < found <= most or found == math.inf:
        raise ConfigError(f"{key}={shown(found)}: must be positive and {_bound(most)}")


def not_negative(key: str, found: float, most: float) -> None:
    """0 or above, and finite."""
    if not 0 <= found <= most:
        raise ConfigError(f"{key}={shown(found)}: must be at least 0 and {_bound(most)}")


def share(key: str, found: float) -> None:
    """A share is in [0, 1]."""
    if not 0 <= found <= 1:
        raise ConfigError(f"{key}={shown(found)}: must be in [0, 1]")


def below_one(key: str, found: float) -> None:
    if not 0 <= found < 1:
        raise ConfigError(f"{key}={shown(found)}: must be in [0, 1)")


def seed(key: str, found: int) -> None:
    within(key, found, 0, MAX_SEED)


def shown(found: float) -> str:
    """A number for a message; an integer of thousands of digits cannot be written out."""
    return (
        f"an integer of {found.bit_length():,} bits" if isinstance(found, int) and abs(found) > 10**30 else str(found)
    )


def _bound(most: float) -> str:
    return "finite" if most == math.inf else f"at most {most:g}"
