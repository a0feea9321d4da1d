"""`bsft-train --help`: what can be chosen, read off the files that it is chosen from. Nothing is composed."""

from __future__ import annotations

import textwrap
from pathlib import Path

from bsft.config import SCHEMAS
from bsft.records.paths import config_dir, user_path
from bsft.records.untrusted import read_yaml

WIDTH = 110


def usage(more_configs: str | None = None) -> str:
    """The help text.

    Args:
        more_configs: a directory with YAML files of the user's own (`--config-dir`).
    """
    directories = [config_dir(), *([user_path(more_configs)] if more_configs is not None else [])]
    groups = [_group(group, directories) for group in (*SCHEMAS, "experiment")]
    words = read_yaml(config_dir() / "config.yaml")["hydra"]["help"]
    return f"{words['header']}\ngroups and their options:\n" + "\n".join(groups) + f"\n\n{words['footer']}"


def _group(group: str, directories: list[Path]) -> str:
    options = sorted({file.stem for directory in directories for file in (directory / group).glob("*.yaml")})
    title = f"  {group}="
    return textwrap.fill(
        ", ".join(options), WIDTH, initial_indent=f"{title:<14}", subsequent_indent=" " * 14, break_on_hyphens=False
    )
