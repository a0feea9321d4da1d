"""Keys on the command line: none is added or removed, and a misspelt one is answered with the nearest."""

from __future__ import annotations

from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from bsft import config as cfg


def check_added(override: Override, *, is_choice: bool) -> None:
    """
    Raises:
        ConfigError: `+key=value` or `~key`.
    """
    if override.is_add() and not is_choice:
        raise cfg.ConfigError(
            f"{override.key_or_group}: keys cannot be added{cfg.did_you_mean(override.key_or_group, _all_keys())} "
            "(--cfg job prints every key)"
        )
    if override.is_delete():
        raise cfg.ConfigError(f"{override.input_line}: nothing can be removed from the configuration")


def check_value(composed: DictConfig, override: Override) -> None:
    """
    Raises:
        ConfigError: several values where one is meant, or a key that the composed config does not have.
    """
    if override.is_sweep_override():
        raise cfg.ConfigError(f"{override.input_line}: several values make a sweep; add -m (--multirun)")
    check_key(composed, override.key_or_group, str(override.input_line))


def check_key(composed: DictConfig, key: str, found: str) -> None:
    """Refuses a key that the composed config does not have, naming the nearest that it has.

    Args:
        found: what the user wrote.
    """
    node: Any = composed
    seen = ""
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node.keys():  # noqa: SIM118  ("in" is False for a key without a value)
            near = cfg.did_you_mean(key, dotted(composed))
            allowed = ", ".join(sorted(str(k) for k in node)) if isinstance(node, DictConfig) else "none"
            raise cfg.ConfigError(
                f"{found}: unknown key {key}{near} (keys of {seen.rstrip('.') or 'the config'}: {allowed})"
            )
        node = node._get_node(part)
        seen += f"{part}."


def check_directory(composed: DictConfig) -> None:
    """
    Raises:
        ConfigError: jobs would run in another directory than the command.
    """
    if composed.hydra.job.chdir:
        raise cfg.ConfigError(
            "hydra.job.chdir=true: relative paths would mean other places inside the jobs, which write into their own "
            "directories anyway; leave it false"
        )


def dotted(node: DictConfig, prefix: str = "") -> list[str]:
    """Every key of a node, those below it included."""
    keys: list[str] = []
    for key in map(str, node):
        keys.append(f"{prefix}{key}")
        if not OmegaConf.is_missing(node, key) and isinstance(child := node[key], DictConfig):
            keys += dotted(child, f"{prefix}{key}.")
    return keys


def _all_keys() -> list[str]:
    keys = set(cfg.Config.__dataclass_fields__)
    for group, schemas in cfg.SCHEMAS.items():
        for node in schemas.values():
            keys |= {f"{group}.{key}" for key in dotted(OmegaConf.structured(node))}
    return sorted(keys)
