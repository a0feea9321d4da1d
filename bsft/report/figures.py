"""The other figures: proactive score against restraint, and learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bsft.display.canvas import GRID_COLOUR, Panel, draw_panels, legend_height_in
from bsft.report.palette import NAIVE_COLOUR, NAIVE_MARKERS, Styles, legend_label
from bsft.report.rows import Block, Row
from bsft.report.sweep import Curve
from bsft.report.values import RowValue
from bsft.stats.arrays import Floats


def restraint_figure(blocks: Sequence[Block], styles: Styles) -> Figure | None:
    """Proactive score against restraint (1 - over-intervention rate); None when no method has both."""
    shown = [block for block in blocks if any(_point(row) for row in block.rows)]
    if not shown:
        return None

    def draw(panel: Panel, block: Block) -> None:
        panel.heading(f"{block.model}, {block.data}")
        axes = panel.axes(0.75, 0.5, 5.4, 3.9)
        rows = (*block.naive, *block.rows)
        points = [_draw_point(axes, row, *point, styles) for row in rows if (point := _point(row)) is not None]
        axes.set(xlim=(-0.03, 1.03), xlabel="restraint (1 − over-intervention rate)", ylabel="proactive score")
        _unit_axis(axes)
        axes.text(0.0, 0.99, "better: towards the upper right", color="#777777", fontsize=9, va="top")
        panel.legend(points, 5.0)

    legend_in = max(legend_height_in([legend_label(row) for row in (*b.naive, *b.rows)]) for b in shown)
    return draw_panels(shown, draw, height_in=5.1 + legend_in)


def _point(row: Row) -> tuple[RowValue, RowValue] | None:
    proactive, flags = row.values.get("proactive"), row.values.get("over_intervention_rate")
    return (proactive, flags) if proactive and flags else None


def _draw_point(axes: Axes, row: Row, proactive: RowValue, flags: RowValue, styles: Styles) -> Line2D:
    """Draws a row with its intervals or deviations and returns its entry for the legend."""
    colour, marker = (NAIVE_COLOUR, NAIVE_MARKERS[row.method]) if row.naive else styles[row.label]
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 11 if marker == "*" else 7}
    below, above = flags.whiskers
    bars: dict[str, Any] = {"xerr": [above, below], "yerr": proactive.whiskers, "elinewidth": 1, "capsize": 2.5}
    axes.errorbar(1 - flags.mean, proactive.mean, **bars, **look)
    return Line2D([], [], **look, linestyle="none", label=legend_label(row))


def curves_figure(blocks: Sequence[Block], styles: Styles) -> Figure | None:
    """Training loss and validation macro-F1 against the optimizer step, a line per run; None if nothing was fitted."""
    shown = [block for block in blocks if _curves(block)]
    if not shown:
        return None

    def draw(panel: Panel, block: Block) -> None:
        panel.heading(f"{block.model}, {block.data}")
        loss, val = panel.axes(0.7, 0.5, 2.3, 2.3), panel.axes(3.85, 0.5, 2.3, 2.3)
        entries: dict[str, Line2D] = {}
        for row, curve in _curves(block):
            colour, marker = styles[row.label]
            _draw_curve(loss, val, curve, colour, marker)
            entries.setdefault(row.label, Line2D([], [], color=colour, marker=marker, label=row.label))
        loss.set(xlabel="step", ylabel="training loss")
        loss.set_ylim(bottom=0)
        loss.grid(color=GRID_COLOUR, linewidth=0.7)
        val.set(xlabel="step", ylabel="validation macro-F1")
        _unit_axis(val)
        panel.legend(list(entries.values()), 3.4)

    legend_in = max(legend_height_in([row.label for row, _ in _curves(block)]) for block in shown)
    return draw_panels(shown, draw, height_in=3.5 + legend_in)


def _curves(block: Block) -> list[tuple[Row, Curve]]:
    return [(row, job.curve) for row in block.rows for job in row.jobs if job.curve is not None]


def _draw_curve(loss: Axes, val: Axes, curve: Curve, colour: str, marker: str) -> None:
    if curve.loss:
        steps, values = np.array(curve.loss).T
        loss.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
        loss.plot(*_smoothed(steps, values), color=colour, linewidth=1.6)
    if curve.val_macro_f1:
        val.plot(*np.array(curve.val_macro_f1).T, color=colour, marker=marker, markersize=4, linewidth=1.6)


def _smoothed(steps: Floats, values: Floats) -> tuple[Floats, Floats]:
    """A running mean over a twentieth of the steps."""
    width = max(1, len(values) // 20)
    mean = np.convolve(values, np.full(width, 1 / width), mode="valid")
    start = (width - 1) // 2
    return steps[start : start + len(mean)], mean


def _unit_axis(axes: Axes) -> None:
    axes.set(ylim=(-0.03, 1.03), yticks=np.linspace(0, 1, 6), axisbelow=True)
    axes.grid(color=GRID_COLOUR, linewidth=0.7)
