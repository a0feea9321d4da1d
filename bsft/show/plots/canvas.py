"""Figures measured in millimetres, off screen, the same bytes every time."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bsft.display.canvas import STYLE as STYLE_OF_ALL
from bsft.display.canvas import blank_figure, style_file

MM_PER_INCH = 25.4
INK = "#1B1B1B"
LABEL = "#444444"
MEASURED = "#12457F"
NORMAL_BAND = "#CBE8CF"

STYLE = STYLE_OF_ALL | style_file(Path(__file__).with_name("plots.mplstyle"))


def new_figure(width_mm: float, height_mm: float, *, title: str = "", colour: str = "white") -> Figure:
    figure = blank_figure(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH, colour)
    if title:
        figure.text(0.5, 1 - 5.5 / height_mm, title, ha="center", va="center", fontsize=11, color=INK)
    return figure


def axes_mm(figure: Figure, left_mm: float, bottom_mm: float, width_mm: float, height_mm: float) -> Axes:
    """Axes whose frame lies at a place in millimetres from the figure's lower left corner."""
    full_width_mm, full_height_mm = (float(inches) * MM_PER_INCH for inches in figure.get_size_inches())
    corner = left_mm / full_width_mm, bottom_mm / full_height_mm
    return figure.add_axes((*corner, width_mm / full_width_mm, height_mm / full_height_mm))


def chart(title: str, width_mm: float = 190.0, height_mm: float = 115.0) -> tuple[Figure, Axes]:
    """A figure with one framed chart, its title, and room for labels and a line below."""
    figure = new_figure(width_mm, height_mm, title=title)
    return figure, axes_mm(figure, 20, 21, width_mm - 28, height_mm - 32)


def footnote(figure: Figure, text: str) -> None:
    height_mm = float(figure.get_size_inches()[1]) * MM_PER_INCH
    figure.text(0.5, 3.5 / height_mm, text, ha="center", va="center", fontsize=7.5, color=LABEL)
