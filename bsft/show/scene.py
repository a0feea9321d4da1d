"""A scene as a person reads it: who speaks, tables as tables, and what a perturbation changed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bsft.records.schema import Item, Role

ROLE_STYLES: Mapping[Role, str] = {
    "attending": "bold cyan",
    "resident": "bold blue",
    "nurse": "bold green",
    "consultant": "bold magenta",
    "pharmacist": "bold yellow",
    "patient": "bold bright_white",
    "family": "bold white",
    "record": "bold bright_black",
}
NOTHING = "∅"

_HERE = "bold black on yellow"
_ELSEWHERE = "strike bright_black"
_WORD = re.compile(r"\s+|\w+(?:[.,:/'^-]\w+)*|[^\w\s]")
_RESULT = re.compile(
    r"(?P<name>\S.*?) (?P<value>-?\d[\d.,]*)(?: (?P<unit>[^()\s][^()]*))? \(ref (?P<reference>[^()]+)\)"
)
_RANGE = re.compile(r"(?P<low>\d[\d.]*)-(?P<high>\d[\d.]*)|<(?P<below>\d[\d.]*)|>(?P<above>\d[\d.]*)")

Cells = tuple[str, ...]
"""Of a row of results: name, value, unit, reference."""


@dataclass(frozen=True)
class Contrast:
    """The other twin's text, by turn; `item_is_after`: this item is the perturbed one."""

    other_texts: Mapping[int, str]
    item_is_after: bool


def contrast_of(item: Item, twin: Item | None) -> Contrast:
    """The turns in which an item and its twin differ; without the twin, what the recorded perturbation says."""
    is_after = item.perturbation is not None
    if twin is not None and len(twin.turns) == len(item.turns):
        pairs = enumerate(zip(item.turns, twin.turns, strict=True))
        return Contrast({i: other.text for i, (own, other) in pairs if own.text != other.text}, is_after)
    if (change := item.perturbation) is not None and change.after and change.locus.turn < len(item.turns):
        text = item.turns[change.locus.turn].text
        if text.count(change.after) == 1:
            return Contrast({change.locus.turn: text.replace(change.after, change.before)}, is_after)
    return Contrast({}, is_after)


def scene_view(item: Item, contrast: Contrast) -> RenderableType:
    """All turns, numbered from 1, and the query."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", style="dim")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(ratio=1)
    for i, turn in enumerate(item.turns):
        speaker = Text(turn.speaker, style=ROLE_STYLES[turn.role])
        grid.add_row(str(i + 1), speaker, _turn_view(turn.text, contrast.other_texts.get(i), contrast.item_is_after))
    if item.query is None:
        grid.add_row("", Text("nobody asks", style="bold red"), Text("The agent speaks unprompted.", style="italic"))
    else:
        grid.add_row("", Text("to the agent", style="bold red"), Text(item.query, style="bold"))
    return grid


def _turn_view(text: str, other: str | None, is_after: bool) -> RenderableType:
    table = _results(text)
    other_table = None if other is None else _results(other)
    n_rows = [None if found is None else len(found[1]) for found in (table, other_table)]
    if table is None or (other is not None and n_rows[0] != n_rows[1]):
        return marked(text, other, is_after)
    heading, rows = table
    other_heading, other_rows = (None, [None] * len(rows)) if other_table is None else other_table
    view = _table_view(rows, other_rows, is_after)
    return Group(marked(heading, other_heading, is_after), view) if heading else view


def marked(own: str, other: str | None, is_after: bool) -> Text:
    """A text with what differs from its counterpart as `⟦before → after⟧`; the other twin's side is struck through."""
    if other is None or other == own:
        return Text(own)
    own_words, other_words = _WORD.findall(own), _WORD.findall(other)
    start = _n_common(own_words, other_words)
    n_end = _n_common(own_words[start:][::-1], other_words[start:][::-1])
    here = Text("".join(own_words[start : len(own_words) - n_end]).strip() or NOTHING, style=_HERE)
    elsewhere = Text("".join(other_words[start : len(other_words) - n_end]).strip() or NOTHING, style=_ELSEWHERE)
    before, after = (elsewhere, here) if is_after else (here, elsewhere)
    opening, ending = "".join(own_words[:start]), "".join(own_words[len(own_words) - n_end :])
    return Text.assemble(opening, ("⟦", "yellow"), before, (" → ", "yellow"), after, ("⟧", "yellow"), ending)


def _n_common(words: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, other, strict=False)))


def _results(text: str) -> tuple[str, list[Cells]] | None:
    """Heading and rows of a document that ends in lines such as "Potassium 4.1 mmol/L (ref 3.5-5.3)"; None for any
    other text."""
    lines = text.splitlines()
    found = [_RESULT.fullmatch(line.strip()) for line in lines]
    n_heading = next((i for i, match in enumerate(found) if match), len(lines))
    rows = [match.groups("") for match in found[n_heading:] if match]
    return ("\n".join(lines[:n_heading]), rows) if rows and len(rows) == len(lines) - n_heading else None


def _table_view(rows: Sequence[Cells], other_rows: Sequence[Cells | None], is_after: bool) -> Table:
    view = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for name in ("test", "result", "unit", "reference", ""):
        view.add_column(name, justify="right" if name == "result" else "left")
    for row, other in zip(rows, other_rows, strict=True):
        cells = [marked(own, theirs, is_after) for own, theirs in zip(row, other or (None,) * 4, strict=True)]
        side = _side(row)
        view.add_row(*cells, Text(side, style="red" if side == "high" else "blue"))
    return view


def _side(row: Cells) -> str:
    """ "high", "low" or nothing."""
    _, number, _, reference = row
    limits = _RANGE.fullmatch(reference)
    try:
        value = float(number.replace(",", ""))
    except ValueError:
        return ""
    if limits is None:
        return ""
    low, high = limits["low"] or limits["above"], limits["high"] or limits["below"]
    if low is not None and value < float(low):
        return "low"
    return "high" if high is not None and value > float(high) else ""
