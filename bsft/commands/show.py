"""`bsft show`: one item as a person, and on request as the model reads it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bsft.commands.options import Flag, Json, UserPath, planned, write_json
from bsft.records.errors import BadInput
from bsft.records.names import slug

if TYPE_CHECKING:
    from bsft.config import Config
    from bsft.records.schema import Item
    from bsft.show.find import Found
    from bsft.show.tokens import Rendered

WIDTH = 110
"""Widest line; longer ones are hard to read."""
_GROUPS = ("data", "model", "method")


def show(
    item: str,
    /,
    *overrides: str,
    split: str | None = None,
    seed: int = 0,
    images: UserPath | None = None,
    tokens: Flag = False,
    model: str | None = None,
    method: str | None = None,
    json: Json = False,
) -> int:
    """Shows one item as a person would read it: the scene, what was changed in it, the replies, the right one.

    Without overrides the item is looked up in BehaviorBench-Open, which is built on first use. Other data:
    data.path=DIR or FILE.jsonl; data=mederrbench data.path=DIR.

    Args:
        item: an item's id, a beginning that only one id has, random, or random:TASK.
        overrides: of the groups data, model and method, as for bsft train: data.path=..., method.KEY=...
        split: look in this split only.
        seed: decides which item random is, and exemplars.
        images: draw the item's figures into this directory.
        tokens: show the item as the model reads it, too: token ids and strings, and which are supervised.
        model: an option of conf/model, for --tokens.
        method: an option of conf/method, for --tokens.

    Raises:
        BadInput, ConfigError: no such item or data, or a setting is wrong.
    """
    from bsft.data.source import obtain
    from bsft.show.find import find_item

    chosen = {"model": model, "method": method}
    groups = [f"{group}={option}" for group, option in chosen.items() if option is not None]
    config = _config([*overrides, *groups], seed, tokens)
    benchmark = obtain(config.data)
    found = find_item(benchmark, item, split=split, seed=seed)
    drawings = [] if images is None else draw_images(found.item, images)
    rendered = None
    if tokens:
        import transformers  # noqa: F401  (its logger has to be there to be made quiet)

        from bsft.display.console import libraries_to
        from bsft.show.tokens import render_tokens

        with libraries_to(logging.NullHandler()):
            rendered = render_tokens(found, benchmark, config)
    if json:
        write_json(_as_json(found, drawings, rendered))
    else:
        _print(found, drawings, rendered)
    return 0


def _config(overrides: Sequence[str], seed: int, tokens: bool) -> Config:
    """Data, model and method, composed and checked as for a job."""
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in _GROUPS or "=" not in override:
            allowed = ", ".join(f"{group}=OPTION, {group}.KEY=VALUE" for group in _GROUPS)
            raise BadInput(f"{override}: allowed are {allowed}")
    if not tokens and (idle := [o for o in overrides if o.startswith(("model", "method"))]):
        raise BadInput(f"{idle[0]} has no effect without --tokens")
    if any(o.startswith("data.path=") for o in overrides) and not any(o.startswith("data=") for o in overrides):
        overrides = ["data=behaviorbench_jsonl", *overrides]
    return planned([*overrides, f"seed={seed}"])[0]


def draw_images(item: Item, directory: Path) -> list[Path]:
    """Draws every figure of an item into `directory` and returns the files.

    Raises:
        BadInput: the directory cannot be written to, or a figure cannot be drawn.
    """
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
