"""Figures measured in millimetres, off screen, the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bsft.display.canvas import STYLE, blank_figure, to_bytes
from bsft.records.errors import BadInput
from bsft.records.files import write_atomically

MM_PER_INCH = 25.4
INK = "#1B1B1B"
LABEL = "#444444"
GRID = "#D9D9D9"
MEASURED = "#12457F"
NORMAL_BAND = "#CBE8CF"

_FORMATS = (".png", ".svg")
_STYLE: dict[Any, Any] = STYLE | {
    "font.size": 9.0,
    "axes.labelcolor": LABEL,
    "axes.axisbelow": True,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "legend.frameon": True,
    "xtick.color": LABEL,
    "ytick.color": LABEL,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.solid_joinstyle": "round",
}


def new_figure(width_mm: float, height_mm: float, *, title: str = "", colour: str = "white") -> Figure:
    figure = blank_figure(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH, colour)
    if title:
        figure.text(0.5, 1 - 5.5 / height_mm, title, ha="center", va="center", fontsize=11, color=INK)
    return figure


def axes_mm(figure: Figure, left_mm: float, bottom_mm: float, width_mm: float, height_mm: float) -> Axes:
    """Axes whose frame lies at a place in millimetres from the figure's lower left corner."""
    full_width_mm, full_height_mm = (float(inches) * MM_PER_INCH for inches in figure.get_size_inches())
    return figure.add_axes(
        (
            left_mm / full_width_mm,
            bottom_mm / full_height_mm,
            width_mm / full_width_mm,
            height_mm / full_height_mm,
        )
    )


def chart(title: str, width_mm: float = 190.0, height_mm: float = 115.0) -> tuple[Figure, Axes]:
    """A figure with one framed chart, its title, and room for labels and a line below."""
    figure = new_figure(width_mm, height_mm, title=title)
    return figure, axes_mm(figure, 20, 21, width_mm - 28, height_mm - 32)


def footnote(figure: Figure, text: str) -> None:
    height_mm = float(figure.get_size_inches()[1]) * MM_PER_INCH
    figure.text(0.5, 3.5 / height_mm, text, ha="center", va="center", fontsize=7.5, color=LABEL)


def style() -> Any:
    """The context in which figures are drawn."""
    return mpl.rc_context(_STYLE)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """
    Raises:
        BadInput: the file's ending is neither .png nor .svg, or it cannot be written.
    """
    file_format: Literal["png", "svg"] = "png" if checked_suffix(path) == ".png" else "svg"
    write_atomically(path, to_bytes(figure, file_format, dpi, _STYLE), durable=False)


def checked_suffix(path: Path) -> str:
    """The file ending, if it is one that can be written."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise BadInput(f"{path}: found file ending {path.suffix!r}, allowed: {', '.join(_FORMATS)}")
    return suffix
