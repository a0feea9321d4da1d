"""Colours and names that all figures and the page share. Both sets are safe for colour-blind readers."""

import itertools
import textwrap
from collections.abc import Iterable, Mapping

from bsft.records.escaping import visible
from bsft.records.schema import Group
from bsft.report.rows import Row

GROUP_COLOURS: dict[Group, str] = {"reactive": "#0072B2", "balanced": "#00795A", "proactive": "#C44E00"}
"""Okabe and Ito's blue, green and vermilion, the latter two darkened so that they can be read as text on white."""

METHOD_COLOURS = {
    "baseline": "#4D4D4D",
    "instructed": "#33A5D1",
    "few_shot": "#C9A227",
    "general_sft": "#CC5577",
    "behavior_sft": "#332288",
}
OTHER_COLOURS = ("#117733", "#882255", "#999933", "#44AA99", "#AA4499", "#6699CC", "#661100", "#888888")
MARKERS = ("o", "s", "^", "D", "*", "v", "P", "X", "<", ">")
NAIVE_COLOUR = "#8A8A8A"
NAIVE_MARKERS = {"always-flag": "^", "never-flag": "v", "majority": "P", "random": "X"}


Styles = Mapping[str, tuple[str, str]]
"""Row label -> colour and marker."""


def line_styles(rows: Iterable[Row]) -> Styles:
    """A method keeps its colour in every figure; its variants take further ones, as do methods not known here."""
    plain_first = sorted({row.label: row for row in rows}.values(), key=lambda row: bool(row.settings))
    spare = itertools.cycle(OTHER_COLOURS)
    styles: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for row, marker in zip(plain_first, itertools.cycle(MARKERS), strict=False):
        own = METHOD_COLOURS.get(row.method)
        colour = next(spare) if own is None or own in taken else own
        taken.add(colour)
        styles[row.label] = (colour, marker)
    return styles


def legend_label(row: Row) -> str:
    seeds = f", {len(row.seeds)} seeds" if len(row.seeds) > 1 else ""
    return textwrap.shorten(row.label, 60, placeholder=" …") + seeds


def task_title(name: str) -> str:
    """A task's name for people: `ddx_reasoning` becomes "DDx reasoning"."""
    words = [{"ddx": "DDx", "mcq": "MCQ"}.get(word, word) for word in name.split("_")]
    title = visible(" ".join(words))
    return title[:1].upper() + title[1:]
