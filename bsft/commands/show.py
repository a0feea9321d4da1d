"""Shows one item as a person would read it: the scene, what was changed in it, the candidate replies, the right one.

Without settings the item is looked up in BehaviorBench-Open, which is built on first use. Other data:
data.path=DIR or FILE.jsonl; data=mederrbench data.path=DIR. With --tokens also as the model reads it.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bsft.records.escaping import json_text
from bsft.records.names import slug
from bsft.records.paths import user_path

if TYPE_CHECKING:
    from bsft.config import Config
    from bsft.records.schema import Item
    from bsft.show.find import Found
    from bsft.show.tokens import Rendered

WIDTH = 110
"""Widest line; longer ones are hard to read."""
_GROUPS = ("data", "model", "method")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "item", metavar="ITEM", help="an item's id, a beginning that only one id has, random, or random:TASK"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="data.KEY=VALUE",
        help="data.path=..., data=OPTION, model.KEY=..., method.KEY=...",
    )
    parser.add_argument("--split", help="look in this split only")
    parser.add_argument("--seed", type=int, default=0, help="decides which item random is, and exemplars (default: 0)")
    parser.add_argument("--images", type=user_path, metavar="DIR", help="draw the item's figures into this directory")
    parser.add_argument("--tokens", action="store_true", help="token ids and strings, and which are supervised")
    parser.add_argument("--model", metavar="OPTION", help="an option of conf/model, for --tokens")
    parser.add_argument("--method", metavar="OPTION", help="an option of conf/method, for --tokens")
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


def run(arguments: argparse.Namespace) -> int:
    """
    Raises:
        BadInput, ConfigError: no such item or data, or a setting is wrong.
    """
    from bsft.data.source import obtain
    from bsft.show.find import find_item

    config = _config(arguments)
    benchmark = obtain(config.data)
    found = find_item(benchmark, arguments.item, split=arguments.split, seed=arguments.seed)
    drawings = [] if arguments.images is None else draw_images(found.item, arguments.images)
    rendered = None
    if arguments.tokens:
        import transformers  # noqa: F401  (its logger has to be there to be made quiet)

        from bsft.display.quiet import libraries_to
        from bsft.show.tokens import render_tokens

        with libraries_to(logging.NullHandler()):
            rendered = render_tokens(found, benchmark, config)
    if arguments.json:
        sys.stdout.write(json_text(_as_json(found, drawings, rendered)) + "\n")
    else:
        _print(found, drawings, rendered)
    return 0


def _config(arguments: argparse.Namespace) -> Config:
    """Data, model and method, composed and checked as for a job."""
    from hydra.errors import HydraException

    from bsft.launch import plan
    from bsft.records.errors import BadInput

    overrides = list(arguments.overrides)
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in _GROUPS or "=" not in override:
            allowed = ", ".join(f"{group}=OPTION, {group}.KEY=VALUE" for group in _GROUPS)
            raise BadInput(f"{override}: allowed are {allowed}")
    chosen = {"model": arguments.model, "method": arguments.method}
    overrides += [f"{group}={option}" for group, option in chosen.items() if option is not None]
    if not arguments.tokens and (idle := [o for o in overrides if o.startswith(("model", "method"))]):
        raise BadInput(f"{idle[0]} has no effect without --tokens")
    if any(o.startswith("data.path=") for o in overrides) and not any(o.startswith("data=") for o in overrides):
        overrides.insert(0, "data=behaviorbench_jsonl")
    try:
        return plan([*overrides, f"seed={arguments.seed}"], multirun=False).jobs[0]
    except HydraException as error:
        raise BadInput(" ".join(str(error).split())) from None


def draw_images(item: Item, directory: Path) -> list[Path]:
    """Draws every figure of an item into `directory` and returns the files.

    Raises:
        BadInput: the directory cannot be written to, or a figure cannot be drawn.
    """
    from bsft.records.errors import BadInput
    from bsft.show.plots import render

    stem = slug(item.id)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return [
            render(image, directory / f"{stem}-{i}-{slug(image.kind)}.png")
            for i, image in enumerate(item.images, start=1)
        ]
    except OSError as error:
        raise BadInput(f"--images {directory}: {error.strerror}") from None


def _as_json(found: Found, drawings: Sequence[Path], rendered: Rendered | None) -> dict[str, object]:
    return {
        "item": found.item.model_dump(mode="json"),
        "twin": None if found.twin is None else found.twin.model_dump(mode="json"),
        "images": [str(path) for path in drawings],
        "rendered": None if rendered is None else rendered.as_json(),
    }


def _print(found: Found, drawings: Sequence[Path], rendered: Rendered | None) -> None:
    from bsft.display.console import SafeConsole
    from bsft.show.item import item_view

    console = SafeConsole(file=sys.stdout)
    console.width = min(console.width, WIDTH) if sys.stdout.isatty() else WIDTH
    console.print(item_view(found, drawings))
    if rendered is not None:
        from bsft.show.tokens import tokens_view

        console.print(tokens_view(rendered))
