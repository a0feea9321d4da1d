"""The figures: every task around a circle, proactive score against restraint, and learning curves.

The radar plot has one line per method; bars stand where a circle would need more tasks than there are.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.projections.polar import PolarAxes

from bsft.display.canvas import GRID_COLOUR, WIDTH_IN, Panel, draw_panels, legend_height_in
from bsft.records.schema import BEHAVIORS
from bsft.report.palette import GROUP_COLOURS, NAIVE_COLOUR, NAIVE_MARKERS, Styles, legend_label, task_title
from bsft.report.rows import NAIVE, Block, Row, Task
from bsft.report.sweep import Curve
from bsft.report.values import RowValue
from bsft.stats.measures import Floats

LEAST_TASKS = 3
_TICKS = (0.2, 0.4, 0.6, 0.8, 1.0)
_ARC_RADIUS, _LABEL_RADIUS = 1.05, 1.12
_TOP_IN, _PLOT_IN, _GROUPS_IN, _LEGEND_IN = 0.9, 3.75, 5.35, 5.7
"""From the panel's top to the circle, the circle's diameter, and from the top to the two legends."""
_DASHED = (0, (5, 3))


def radar_figure(blocks: Sequence[Block], styles: Styles, title: str = "") -> Figure:
    """One panel per model and data set."""

    def draw(panel: Panel, block: Block) -> None:
        panel.heading(f"{block.model}, {block.data}")
        if len(block.tasks) < LEAST_TASKS:
            _draw_bars(panel, block, styles)
        else:
            _draw_radar(panel, block, styles)
        panel.legend([_line(row, styles) for row in (*block.rows, *_never_flag(block))], _LEGEND_IN)

    legend_in = max(legend_height_in([legend_label(row) for row in (*b.rows, *_never_flag(b))]) for b in blocks)
    return draw_panels(blocks, draw, height_in=_LEGEND_IN + legend_in + 0.15, title=title)


def _never_flag(block: Block) -> list[Row]:
    return [row for row in block.naive if row.method == NAIVE["never_flag"] and row.tasks]


def _line(row: Row, styles: Styles) -> Artist:
    if row.naive:
        return Line2D([], [], color=NAIVE_COLOUR, linestyle=_DASHED, label=legend_label(row))
    colour, marker = styles[row.label]
    return Line2D([], [], color=colour, marker=marker, markersize=_size(marker), linewidth=2, label=legend_label(row))


def _size(marker: str) -> float:
    return 8 if marker == "*" else 5


# --- radar ---


def _draw_radar(panel: Panel, block: Block, styles: Styles) -> None:
    axes = cast(PolarAxes, panel.axes((WIDTH_IN - _PLOT_IN) / 2, _TOP_IN, _PLOT_IN, _PLOT_IN, projection="polar"))
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    angles = np.linspace(0, 2 * np.pi, len(block.tasks), endpoint=False)
    axes.set(ylim=(0, 1))
    axes.set_xticks(angles, [""] * len(angles))
    axes.set_yticks(_TICKS, [""] * len(_TICKS))
    axes.grid(color="#D8D8D8", linewidth=0.7)
    axes.spines["polar"].set_color("#BBBBBB")
    _draw_groups(axes, block.tasks, angles)
    groups = [group for group in BEHAVIORS if any(task.group == group for task in block.tasks)]
    panel.legend([Patch(color=GROUP_COLOURS[group], label=f"{group} tasks") for group in groups], _GROUPS_IN)

    for reference in _never_flag(block):
        ring = _ring(angles, reference, block.tasks)
        axes.plot(*ring, color=NAIVE_COLOUR, linestyle=_DASHED, linewidth=1.5, zorder=3)
    for row in block.rows:
        colour, marker = styles[row.label]
        ring = _ring(angles, row, block.tasks)
        axes.plot(*ring, color=colour, marker=marker, markersize=_size(marker), linewidth=1.8, zorder=3, clip_on=False)
    axes.fill(*ring, color=colour, alpha=0.06, zorder=1)
    # between the first two spokes the numbers of the scale stand on no line of the grid
    halo = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    number: dict[str, Any] = {"fontsize": 8, "color": "#555555", "ha": "center", "va": "center", "zorder": 4}
    for tick in _TICKS[:-1]:
        axes.text(np.pi / len(block.tasks), tick, f"{tick:g}", bbox=halo, **number)
    axes.text(np.pi / len(block.tasks), 0.96, "1", **number)


def _ring(angles: Floats, row: Row, tasks: Sequence[Task]) -> tuple[list[float], list[float]]:
    """Angles and scores, closed; a task without a score leaves a gap."""
    scores = [row.tasks[task.name].mean if task.name in row.tasks else float("nan") for task in tasks]
    return [*angles, angles[0]], [*scores, scores[0]]


def _draw_groups(axes: PolarAxes, tasks: Sequence[Task], angles: Floats) -> None:
    """A thin arc around each group, and the tasks' names in its colour."""
    half = np.pi / len(tasks)
    for group in BEHAVIORS:
        own = [angle for angle, task in zip(angles, tasks, strict=True) if task.group == group]
        if own:
            arc = np.linspace(own[0] - half * 0.85, own[-1] + half * 0.85, 100)
            axes.plot(arc, np.full_like(arc, _ARC_RADIUS), color=GROUP_COLOURS[group], linewidth=3.5, clip_on=False)
    for angle, task in zip(angles, tasks, strict=True):
        sine, cosine = np.sin(angle), np.cos(angle)
        side = "center" if abs(sine) < 0.2 else "left" if sine > 0 else "right"
        height = "center" if abs(cosine) < 0.75 else "bottom" if cosine > 0 else "top"
        name = textwrap.fill(task_title(task.name), 13, break_long_words=False)
        look: dict[str, Any] = {"color": GROUP_COLOURS[task.group], "fontweight": "bold", "fontsize": 9.5}
        axes.text(angle, _LABEL_RADIUS, name, **look, ha=side, va=height, multialignment=side)


# --- bars ---


def _draw_bars(panel: Panel, block: Block, styles: Styles) -> None:
    axes = panel.axes(0.75, 0.6, 5.4, 4.4)
    n, width = len(block.rows), 0.8 / len(block.rows)
    for x, task in enumerate(block.tasks):
        for i, row in enumerate(block.rows):
            if (estimate := row.tasks.get(task.name)) is not None:
                centre = x + (i - (n - 1) / 2) * width
                axes.bar(centre, estimate.mean, width * 0.92, color=styles[row.label][0])
                axes.errorbar(centre, estimate.mean, yerr=estimate.whiskers, color="#222222", linewidth=1, capsize=3)
        for reference in _never_flag(block):
            if (estimate := reference.tasks.get(task.name)) is not None:
                left, right = x - 0.45, x + 0.45
                axes.plot([left, right], [estimate.mean] * 2, color=NAIVE_COLOUR, linestyle=_DASHED, linewidth=1.5)
    names = [task_title(task.name) for task in block.tasks]
    axes.set_xticks(range(len(names)), names, fontweight="bold", fontsize=11)
    for label, task in zip(axes.get_xticklabels(), block.tasks, strict=True):
        label.set_color(GROUP_COLOURS[task.group])
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(0, 1), yticks=(0.0, *_TICKS), ylabel="score", axisbelow=True)
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.7)


# --- restraint and learning curves ---


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
