"""A scene as a person reads it: who speaks, tables as tables, and what a perturbation changed."""

from __future__ import annotations

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
    if table is None or (other is not None and not _same_shape(table, other_table)):
        return marked(text, other, is_after)
    parts: list[RenderableType] = []
    if table.heading:
        parts.append(marked(table.heading, None if other_table is None else other_table.heading, is_after))
    parts.append(_table_view(table, other_table, is_after))
    return Group(*parts)


def marked(own: str, other: str | None, is_after: bool) -> Text:
    """A text with what differs from its counterpart as `⟦before → after⟧`; the other twin's side is struck through."""
    if other is None or other == own:
        return Text(own)
    own_words, other_words = _WORD.findall(own), _WORD.findall(other)
    start = sum(1 for _ in takewhile(_equal, zip(own_words, other_words, strict=False)))
    rest = zip(reversed(own_words[start:]), reversed(other_words[start:]), strict=False)
    n_end = sum(1 for _ in takewhile(_equal, rest))
    here = Text("".join(own_words[start : len(own_words) - n_end]).strip() or NOTHING, style=_HERE)
    elsewhere = Text("".join(other_words[start : len(other_words) - n_end]).strip() or NOTHING, style=_ELSEWHERE)
    before, after = (elsewhere, here) if is_after else (here, elsewhere)
    opening, ending = "".join(own_words[:start]), "".join(own_words[len(own_words) - n_end :])
    return Text.assemble(opening, ("⟦", "yellow"), before, (" → ", "yellow"), after, ("⟧", "yellow"), ending)


def _equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


@dataclass(frozen=True)
class _Result:
    name: str
    value: str
    unit: str
    reference: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.name, self.value, self.unit, self.reference

    @property
    def side(self) -> str:
        """ "high", "low" or nothing."""
        limits = _RANGE.fullmatch(self.reference)
        try:
            value = float(self.value.replace(",", ""))
        except ValueError:
            return ""
        if limits is None:
            return ""
        low, high = limits["low"] or limits["above"], limits["high"] or limits["below"]
        if low is not None and value < float(low):
            return "low"
        return "high" if high is not None and value > float(high) else ""


@dataclass(frozen=True)
class _Results:
    heading: str
    rows: Sequence[_Result]


def _results(text: str) -> _Results | None:
    """A document that ends in lines such as "Potassium 4.1 mmol/L (ref 3.5-5.3)"; None for any other text."""
    heading: list[str] = []
    rows: list[_Result] = []
    for line in text.splitlines():
        match = _RESULT.fullmatch(line.strip())
        if match is not None:
            rows.append(_Result(match["name"], match["value"], match["unit"] or "", match["reference"]))
        elif rows:
            return None
        else:
            heading.append(line)
    return _Results("\n".join(heading), rows) if rows else None


def _same_shape(table: _Results, other: _Results | None) -> bool:
    return other is not None and len(other.rows) == len(table.rows)


def _table_view(table: _Results, other: _Results | None, is_after: bool) -> Table:
    view = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for name in ("test", "result", "unit", "reference", ""):
        view.add_column(name, justify="right" if name == "result" else "left")
    for i, row in enumerate(table.rows):
        counterparts: Sequence[str | None] = other.rows[i].cells if other is not None else (None,) * 4
        cells = [marked(own, theirs, is_after) for own, theirs in zip(row.cells, counterparts, strict=True)]
        view.add_row(*cells, Text(row.side, style="red" if row.side == "high" else "blue"))
    return view
