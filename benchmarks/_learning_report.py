"""Reads the fits of the learning benchmark: a table, a figure, all points in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks import _common as common
from benchmarks._learning_slots import KINDS

GOAL = 0.9
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


@dataclass(frozen=True)
class Curve:
    """Paired AUC of one kind and level in one fit: `points` as `(pairs, tokens, auc, low, high, accuracy)`."""

    fit: str
    kind: str
    level: int
    points: tuple[tuple[float, ...], ...]

    @property
    def reached(self) -> tuple[float, ...] | None:
        """The first point from which two evaluations in a row reach the goal; at the end, one is enough."""
        for i, point in enumerate(self.points):
            if all(p[2] >= GOAL for p in self.points[i : i + 2]):
                return point
        return None


def read(directory: Path) -> list[dict[str, Any]]:
    """What all fits under a directory wrote, by name."""
    files = sorted(directory.glob("*/points.json"))
    return [{"name": f.parent.name, **json.loads(f.read_text(encoding="utf-8"))} for f in files]


def curves(fits: list[dict[str, Any]]) -> Iterator[Curve]:
    for fit in fits:
        found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
        for point in fit["points"]:
            for k in point["kinds"]:
                figures = (point["pairs"], point["tokens"], k["auc"], k["low"], k["high"], k["accuracy"])
                found.setdefault((k["kind"], k["level"]), []).append(figures)
        for (kind, level), points in found.items():
            yield Curve(label(fit["name"]), kind, level, tuple(points))


def label(name: str) -> str:
    """A fit's name without its kinds and levels, which stand beside it."""
    rest = [part for part in name.split(",") if not part.startswith(("kinds=", "levels="))]
    joint = "joint" if "kinds=" not in name or "+" in name.partition("kinds=")[2].partition(",")[0] else ""
    return ", ".join(part for part in (joint, *rest) if part and part != "default") or "default"


def show_table(fits: list[dict[str, Any]]) -> None:
    """When each curve reached the goal, and where it ended."""
    common.show(
        f"Pairs and distinct tokens until paired AUC >= {GOAL} twice in a row, and the last evaluation",
        ["kind", "level", "fit", "pairs", "k tokens", "seen", "AUC", "95 %", "accuracy"],
        [_row(curve) for curve in sorted(curves(fits), key=lambda c: (c.level, KINDS.index(c.kind), c.fit))],
    )


def _row(curve: Curve) -> list[object]:
    seen, _, auc, low, high, accuracy = curve.points[-1]
    pairs, tokens = curve.reached[:2] if curve.reached else ("-", 0)
    interval = f"{low:.2f}-{high:.2f}"
    return [curve.kind, curve.level, curve.fit, pairs, round(tokens / 1000) or "-", seen, auc, interval, accuracy]


def write_points(fits: list[dict[str, Any]], file: Path) -> None:
    """All points of all fits."""
    text = json.dumps({"benchmark": "learning", "fits": fits}, indent=2)
    file.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def draw(fits: list[dict[str, Any]], file: Path) -> None:
    """A panel for each kind and level, a line with its interval for each fit."""
    found = list(curves(fits))
    levels = sorted({curve.level for curve in found})
    kinds = [kind for kind in KINDS if any(curve.kind == kind for curve in found)]
    size = (0.8 + 3.1 * len(kinds), 0.6 + 3 * len(levels))
    figure, panels = plt.subplots(
        len(levels), len(kinds), figsize=size, sharey=True, layout="constrained", squeeze=False
    )
    colours = {fit: _COLOURS[i % len(_COLOURS)] for i, fit in enumerate(sorted({c.fit for c in found}))}
    for row, level in zip(panels, levels, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            own = [c for c in found if c.kind == kind and c.level == level]
            _panel(panel, f"{kind}, level {level}", own, colours)
        row[0].set_ylabel("paired AUC, held-out twins")
    handles = [Line2D([], [], marker="o", markersize=3, color=colour) for colour in colours.values()]
    figure.legend(handles, list(colours), loc="outside lower center", ncols=4, frameon=False)
    for suffix in (".png", ".svg"):
        figure.savefig(file.with_suffix(suffix), dpi=150)
    plt.close(figure)


def _panel(panel: Axes, title: str, found: list[Curve], colours: dict[str, str]) -> None:
    for curve in found:
        pairs, _, auc, low, high, _ = zip(*curve.points, strict=True)
        panel.plot(pairs, auc, marker="o", markersize=3, color=colours[curve.fit])
        panel.fill_between(pairs, low, high, color=colours[curve.fit], alpha=0.12, linewidth=0)
    panel.axhline(0.5, color="#999999", linewidth=0.8)
    panel.axhline(GOAL, color="#999999", linewidth=0.8, linestyle="--")
    panel.set_title(title, fontsize="medium")
    panel.set_xlabel("pairs seen")
    panel.set_xlim(left=0)
    panel.set_ylim(0.3, 1.02)
    panel.spines[["top", "right"]].set_visible(False)
