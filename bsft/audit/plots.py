"""The audit's figures, as SVG that is the same every time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bsft.audit.audit import Audit
from bsft.audit.describe import TaskCounts, TwinLengths
from bsft.audit.probes import ALONE, BETWEEN
from bsft.audit.puzzles import Probe
from bsft.display.quiet import any_glyphs
from bsft.records.escaping import visible

MASKED_COLOUR, SHOWN_COLOUR, BROKEN_COLOUR = "#0072B2", "#8A8A8A", "#B3261E"
PERTURBED_COLOUR, CLEAN_COLOUR = "#C44E00", "#0072B2"
LABEL_COLOURS = (
    "#9AA5B1", "#0072B2", "#C44E00", "#00795A", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#882255", "#999933",
)  # fmt: skip
_PANEL_IN = 3.6
_LABEL_CHARACTER = 0.0072
"""Width of a character of a label, as a share of a bar."""
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.hashsalt": "bsft",
}


def auroc_figure(audit: Audit) -> str | None:
    """AUROC of every probe of twins with its interval, a panel per task; None without such probes."""
    probes = [probe for probe in audit.probes if probe.asks in (ALONE, BETWEEN)]
    tasks = [task for task in audit.corpus.tasks if any(probe.task == task for probe in probes)]
    if not tasks:
        return None
    names = list(dict.fromkeys(_probe_name(probe) for probe in probes))
    limit = audit.settings.limits.max_auroc

    def draw(axes: Axes, task: str) -> None:
        axes.axvline(0.5, color="#B8BEC5", linewidth=1)
        axes.axvline(limit, color=BROKEN_COLOUR, linewidth=1, linestyle="--")
        for probe in (p for p in probes if p.task == task):
            shown = probe.numerals == "shown"
            broken = probe.binding and not shown and probe.estimate.low > limit
            colour = BROKEN_COLOUR if broken else SHOWN_COLOUR if shown else MASKED_COLOUR
            y = len(names) - 1 - names.index(_probe_name(probe)) + (-0.17 if shown else 0.17)
            axes.plot([probe.estimate.low, probe.estimate.high], [y, y], color=colour, linewidth=1.4)
            axes.plot([probe.estimate.value], [y], marker="o" if probe.binding else "s", markersize=4, color=colour)
        axes.set_yticks(range(len(names)), names[::-1])
        axes.set_xlim(0.4, 1.02)
        axes.set_title(visible(task))
        axes.set_xlabel("AUROC")

    return _panels(tasks, draw, height_in=0.9 + 0.3 * len(names), left_in=2.6)


def balance_figure(counts: Sequence[TaskCounts]) -> str:
    """Shares of gold labels, a bar per task."""
    with mpl.rc_context(_STYLE):
        figure = _figure(12.0, 0.8 + 0.34 * len(counts))
        axes = figure.add_axes((0.16, 0.55 / figure.get_figheight(), 0.82, 1 - 0.65 / figure.get_figheight()))
        for y, own in enumerate(reversed(counts)):
            start, total = 0.0, sum(own.labels.values())
            for i, (label, n) in enumerate(sorted(own.labels.items(), key=lambda pair: -pair[1])):
                share = n / total
                axes.barh(y, share, left=start, height=0.72, color=LABEL_COLOURS[i % len(LABEL_COLOURS)])
                text = visible(f"{label.removeprefix('flag_').replace('_', ' ')} {share:.0%}")
                if share > _LABEL_CHARACTER * len(text):
                    axes.text(start + share / 2, y, text, ha="center", va="center", color="white", fontsize=7)
                start += share
        axes.set_yticks(range(len(counts)), [visible(own.task) for own in reversed(counts)])
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of items")
        return _svg(figure)


def lengths_figure(lengths: Sequence[TwinLengths]) -> str | None:
    """Distributions of the characters of twins, a panel per task; None without twins."""
    if not lengths:
        return None
    by_task = {own.task: own for own in lengths}

    def draw(axes: Axes, task: str) -> None:
        own = by_task[task]
        shortest, longest = min(own.perturbed + own.clean), max(own.perturbed + own.clean)
        bins = np.linspace(shortest, longest + 1, 30).tolist()
        axes.hist(own.perturbed, bins, histtype="step", color=PERTURBED_COLOUR, linewidth=1.6, label="perturbed")
        axes.hist(own.clean, bins, histtype="step", color=CLEAN_COLOUR, linewidth=1.2, linestyle="--", label="clean")
        axes.set_title(visible(task))
        axes.set_xlabel("characters of the scene")
        axes.set_ylabel("items")
        axes.legend(fontsize=8)

    return _panels(list(by_task), draw, height_in=2.5, left_in=0.7)


def _probe_name(probe: Probe) -> str:
    return f"both twins: {probe.name}" if probe.asks == BETWEEN else probe.name


def _panels(names: Sequence[str], draw: Any, *, height_in: float, left_in: float) -> str:
    """One panel for each name, at most three in a row."""
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    width_in = _PANEL_IN + left_in
    with mpl.rc_context(_STYLE):
        figure = _figure(width_in * n_columns, height_in * n_rows)
        for i, name in enumerate(names):
            row, column = divmod(i, n_columns)
            box = (
                (column * width_in + left_in) / (width_in * n_columns),
                1 - (row * height_in + height_in - 0.5) / (height_in * n_rows),
                (_PANEL_IN - 0.25) / (width_in * n_columns),
                (height_in - 0.85) / (height_in * n_rows),
            )
            draw(figure.add_axes(box), name)
        return _svg(figure)


def _figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    with any_glyphs():
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
