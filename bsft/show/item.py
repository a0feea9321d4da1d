"""One item as a person would read it: what it is, its scene, the candidate replies and the right one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bsft.records.schema import Behavior, Item, Variant
from bsft.show.find import Found
from bsft.show.scene import NOTHING, contrast_of, scene_view

GROUP_STYLES: Mapping[Behavior, str] = {"reactive": "blue", "balanced": "green", "proactive": "dark_orange"}
_BELOW = (0, 0, 1, 0)
_VARIANTS: Mapping[Variant, str] = {
    "plain": "nothing was changed",
    "perturbed": "a problem was put in",
    "clean": "the same scene without the problem",
    "distractor": "a control: the problem is there, but somebody has dealt with it",
    "paraphrase": "another item in other words",
    "other_sex": "another item with a patient of the other sex, where that does not matter",
}


def item_view(found: Found, drawings: Sequence[Path] = ()) -> RenderableType:
    """
    Args:
        drawings: the files into which the item's figures were drawn, in their order.
    """
    item, contrast = found.item, contrast_of(found.item, found.twin)
    parts: list[RenderableType] = [
        Rule(Text(item.id, style="bold"), align="left", style="dim"),
        Padding(_labelled(_facts(found)), _BELOW),
        Padding(scene_view(item, contrast), _BELOW),
    ]
    if contrast.other_texts:
        side = "after" if contrast.item_is_after else "before"
        legend = f"⟦before → after⟧: what the perturbation changes; this item has the {side} side"
        parts.append(Padding(Text(legend, style="dim"), _BELOW))
    if item.images:
        parts.append(Padding(_labelled(_figures(item, drawings)), _BELOW))
    parts += [Padding(_options(item), _BELOW), _gold(item)]
    return Group(*parts)


def _labelled(rows: Iterable[tuple[str, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(ratio=1)
    for label, text in rows:
        grid.add_row(label, text)
    return grid


def _facts(found: Found) -> Iterator[tuple[str, Text]]:
    item = found.item
    yield "task", Text.assemble(item.task, "  ", (item.group, GROUP_STYLES[item.group]))
    yield "from", Text(", ".join(filter(None, (f"split {item.split}", f"case {item.case_id}", item.specialty))))
    yield "variant", Text.assemble(item.variant, (f"  {_VARIANTS[item.variant]}", "dim"))
    yield from _problem(found)
    if item.twin_id is not None:
        missing = "" if found.twin is not None else "  (not in this benchmark)"
        yield "twin", Text.assemble(item.twin_id, (missing, "yellow"))
    yield "autonomy", Text(item.autonomy)


def _problem(found: Found) -> Iterator[tuple[str, Text]]:
    """What was put in, where, and whether it can be found; on a clean item, what its twin has."""
    item, twin = found.item, found.twin
    change = item.perturbation or (twin.perturbation if twin is not None else None)
    if change is not None:
        whose = "" if item.perturbation is not None else "  (in the twin)"
        place = f"{change.kind} in turn {change.locus.turn + 1}, {change.locus.role}, field {change.locus.field}{whose}"
        yield "problem", Text(place)
        yield "", Text.assemble((change.before or NOTHING, "green"), " → ", (change.after or NOTHING, "yellow"))
    if item.determinable is not None:
        yield "determinable", Text("yes" if item.determinable else "no: the scene does not hold the evidence")


def _figures(item: Item, drawings: Sequence[Path]) -> Iterator[tuple[str, Text]]:
    for i, image in enumerate(item.images):
        params = ", ".join(f"{name}={_plain(value)}" for name, value in image.params.items())
        yield "figure", Text.assemble((image.kind, "bold"), f"  {image.alt}", (f"  ({params})", "dim"))
        if i < len(drawings):
            yield "", Text(str(drawings[i]))


def _plain(value: float | str | list[float]) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(f"{number:g}" for number in value) + "]"
    return value if isinstance(value, str) else f"{value:g}"


def _options(item: Item) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0), header_style="dim", leading=1)
    table.add_column("gold")
    table.add_column("flag")
    table.add_column("label", overflow="fold")
    table.add_column("candidate reply", ratio=1)
    for option in item.options:
        gold = option.label == item.label
        style = "bold green" if gold else ""
        table.add_row(
            Text("✓" if gold else "", style="bold green"),
            Text("⚑" if option.flag else "", style="dark_orange"),
            Text(option.label, style=style),
            Text(option.text, style=style),
        )
    return table


def _gold(item: Item) -> Panel:
    behavior = Text(f"<|{item.gold_behavior}|>", style=f"bold {GROUP_STYLES[item.gold_behavior]}")
    text = Text.assemble(behavior, " ", item.gold.text)
    return Panel(text, title="gold behaviour and response", title_align="left", border_style="green")
