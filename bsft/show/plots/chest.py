"""A sketch of a chest X-ray, seen from the front: the patient's right is on the left of the picture."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse

from bsft.show.plots.canvas import axes_mm, footnote, new_figure
from bsft.show.plots.params import ChestXray

AIR, BONE, METAL = "#1C1C1C", "#A8A8A8", "#FFFFFF"
SOFT_TISSUE = "#6E6E6E"
RIBS = 8
_RIB_SPACE = 0.16
_LUNG_TOP, _LUNG_BOTTOM = 1.35, 0.0


def chest_figure(xray: ChestXray) -> Figure:
    """Two lungs, heart, ribs and collar bones, with one finding on one side."""
    figure = new_figure(120, 138, title="Chest X-ray")
    axes = axes_mm(figure, 10, 12, 100, 114)
    axes.set_facecolor(SOFT_TISSUE)
    # the half of the picture on which a side of the patient lies
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _draw_half(axes, sign, xray.finding if side == xray.side else "")
    axes.add_patch(Ellipse((0.14, 0.3), 0.66, 0.7, angle=35, color="#BDBDBD", zorder=3))
    axes.set(xlim=(-1.15, 1.15), ylim=(-0.5, 1.75), xticks=[], yticks=[])
    axes.text(-1.08, 1.6, "R", color="white", fontsize=13)
    footnote(figure, "Sketch; the patient faces the reader.")
    return figure


def _draw_half(axes: Axes, sign: float, finding: str) -> None:
    bottom = _LUNG_BOTTOM + (2 * _RIB_SPACE if finding == "diaphragm" else 0.0)
    height = np.linspace(0.0, 1.0, 80)
    outer = 0.45 + 0.5 * np.sqrt(np.clip(1 - height**2.2, 0, None))
    level = bottom + (_LUNG_TOP - bottom) * height
    dome = np.linspace(outer[0], 0.12, 40)
    floor = bottom + 0.13 * np.sin(np.linspace(0, np.pi, 40))
    across, up = np.concatenate([outer, [0.12], dome[::-1]]), np.concatenate([level, [_LUNG_TOP], floor[::-1]])
    axes.fill(sign * across, up, color=AIR, zorder=1)
    for i in range(RIBS):
        _draw_rib(axes, sign, 0.1 + i * _RIB_SPACE, stepped=finding == "rib" and i == 2)
    along = np.linspace(0.1, 0.95, 30)
    bone = 1.42 + 0.07 * np.sin(6 * along)
    axes.plot(sign * along, bone, color=BONE, linewidth=6, zorder=4)
    if finding == "plate":
        axes.plot(sign * along[8:24], bone[8:24], color=METAL, linewidth=3.5, zorder=5)
        axes.plot(sign * along[8:24:3], bone[8:24:3], color="#333333", marker="o", markersize=3, linewidth=0, zorder=6)
    if finding == "nodule":
        axes.add_patch(Circle((sign * 0.55, 1.05), 0.035, color=METAL, zorder=5))


def _draw_rib(axes: Axes, sign: float, level: float, *, stepped: bool) -> None:
    along = np.linspace(0.15, 0.98, 60)
    rib = level + 0.16 * np.cos(2.2 * along) - 0.1 * along
    if stepped:
        rib = rib + np.where(along > 0.6, -0.06, 0.0)
    axes.plot(sign * along, rib, color=BONE, linewidth=2.4, alpha=0.8, zorder=2)
