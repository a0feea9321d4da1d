"""The audit's figures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bsft.audit.audit import Audit, TaskCounts, TwinLengths
from bsft.audit.limits import Finding, Status
from bsft.display.canvas import Panel, draw_panels
from bsft.records.escaping import visible

BROKEN_COLOUR = "#B3261E"
COLOURS: dict[Status, str] = {
    "passed": "#0072B2", "broken": BROKEN_COLOUR, "not checked": "#8A8A8A", "reported": "#8A8A8A",
}  # fmt: skip
PERTURBED_COLOUR, CLEAN_COLOUR = "#C44E00", "#0072B2"
LABEL_COLOURS = (
    "#9AA5B1", "#0072B2", "#C44E00", "#00795A", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#882255", "#999933",
)  # fmt: skip
_LABEL_CHARACTER = 0.0072
"""Width of a character of a label, as a share of a bar."""


def auroc_figure(audit: Audit) -> Figure | None:
    """AUROC of every probe with its interval, a panel per kind or task; None without any."""
    found = [own for own in audit.findings if own.level is None and own.measure != "accuracy"]
    if not found:
        return None
    panels: dict[str, list[Finding]] = {}
    for own in found:
        panels.setdefault(own.where, []).append(own)
    limit = audit.settings.limits.max_auroc
    rows_in = 0.22 * max(map(len, panels.values()))

    def draw(panel: Panel, where: str) -> None:
        panel.heading(where)
        axes = panel.axes(2.0, 0.4, 3.9, rows_in)
        axes.axvline(0.5, color="#B8BEC5", linewidth=1)
        axes.axvline(limit, color=BROKEN_COLOUR, linewidth=1, linestyle="--")
        own = panels[where][::-1]
        for y, one in enumerate(own):
            colour = COLOURS[one.status]
            axes.plot([one.estimate.low, one.estimate.high], [y, y], color=colour, linewidth=1.4)
            axes.plot([one.estimate.value], [y], marker="o", markersize=4, color=colour)
        axes.set_yticks(range(len(own)), [one.probe for one in own], fontsize=8)
        axes.set(xlim=(0, 1.02), xlabel="AUROC")

    return draw_panels(list(panels), draw, height_in=1.0 + rows_in)


def balance_figure(counts: Sequence[TaskCounts]) -> Figure:
    """Shares of gold labels, a bar per task."""
    bars_in = 0.34 * len(counts)

    def draw(panel: Panel, counts: Sequence[TaskCounts]) -> None:
        axes = panel.axes(2.2, 0.1, 9.6, bars_in)
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
        axes.set(xlim=(0, 1), xlabel="share of items")

    return draw_panels([counts], draw, height_in=bars_in + 0.75, width_in=12.0)


def lengths_figure(lengths: Sequence[TwinLengths]) -> Figure | None:
    """Distributions of the characters of twins, a panel per task; None without twins."""
    if not lengths:
        return None

    def draw(panel: Panel, own: TwinLengths) -> None:
        panel.heading(own.task)
        axes = panel.axes(0.8, 0.4, 5.3, 1.9)
        shortest, longest = min(own.perturbed + own.clean), max(own.perturbed + own.clean)
        bins = np.linspace(shortest, longest + 1, 30).tolist()
        axes.hist(own.perturbed, bins, histtype="step", color=PERTURBED_COLOUR, linewidth=1.6, label="perturbed")
        axes.hist(own.clean, bins, histtype="step", color=CLEAN_COLOUR, linewidth=1.2, linestyle="--", label="clean")
        axes.set(xlabel="characters of the scene", ylabel="items")
        axes.legend(fontsize=8)

    return draw_panels(lengths, draw, height_in=2.9)
