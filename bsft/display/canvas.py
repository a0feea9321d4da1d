"""How figures are made: off screen, as PNG or SVG that is the same every time; several panels where there is much.

Panels are laid out in inches from their upper left corner, so that text keeps its place whatever a panel holds.
"""

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from bsft.records.escaping import visible

Content = TypeVar("Content")
WIDTH_IN = 6.4
DPI = 250
"""A panel of 6.4 inches is 1600 pixels wide."""
_TITLE_IN = 0.45
_LEGEND_ROW_IN = 0.24
GRID_COLOUR = "#E4E4E4"


def style_file(file: Path) -> dict[Any, Any]:
    """Settings of matplotlib that a `.mplstyle` file gives, and no other ones."""
    return dict(mpl.rc_params_from_file(file, use_default_template=False))


STYLE = style_file(Path(__file__).with_name("figures.mplstyle"))


def blank_figure(width_in: float, height_in: float, colour: str = "white") -> Figure:
    figure = Figure(figsize=(width_in, height_in), facecolor=colour)
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Panel:
    """A part of a figure."""

    subfigure: SubFigure
    width_in: float
    height_in: float

    def axes(self, left_in: float, top_in: float, width_in: float, height_in: float, **options: Any) -> Axes:
        across, up = self.width_in, self.height_in
        rectangle = (left_in / across, 1 - (top_in + height_in) / up, width_in / across, height_in / up)
        return self.subfigure.add_axes(rectangle, **options)

    def heading(self, text: str) -> None:
        y = 1 - 0.08 / self.height_in
        self.subfigure.text(0.5, y, visible(text), ha="center", va="top", fontsize=10, color="#444444")

    def legend(self, handles: Sequence[Artist], top_in: float) -> None:
        for handle in handles:
            label = visible(str(handle.get_label()))
            # matplotlib leaves out labels that begin with an underscore
            handle.set_label(f" {label}" if label.startswith("_") else label)
        n_columns = _legend_columns([str(handle.get_label()) for handle in handles])
        anchor = (0.5, 1 - top_in / self.height_in)
        options: dict[str, Any] = {"ncols": n_columns, "fontsize": 9, "columnspacing": 1.4, "borderaxespad": 0}
        self.subfigure.legend(handles=handles, loc="upper center", bbox_to_anchor=anchor, **options)


def legend_height_in(labels: Sequence[str]) -> float:
    return math.ceil(len(labels) / _legend_columns(labels)) * _LEGEND_ROW_IN


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max(map(len, labels), default=0)
    return 3 if longest <= 22 else 2 if longest <= 38 else 1


def draw_panels(
    contents: Sequence[Content],
    draw: Callable[[Panel, Content], None],
    *,
    height_in: float,
    width_in: float = WIDTH_IN,
    title: str = "",
) -> Figure:
    """A figure with one panel for each of `contents`, at most three in a row; sizes are those of a panel."""
    n_columns = min(3, len(contents))
    n_rows = math.ceil(len(contents) / n_columns)
    title_in = _TITLE_IN if title else 0.01
    with mpl.rc_context(STYLE):
        figure = blank_figure(width_in * n_columns, height_in * n_rows + title_in)
        halves = figure.subfigures(2, 1, squeeze=False, height_ratios=[title_in, height_in * n_rows], hspace=0)
        head, body = halves.ravel()
        if title:
            head.text(0.5, 0.4, visible(title), ha="center", va="center", fontsize=14, fontweight="bold")
        grid = body.subfigures(n_rows, n_columns, squeeze=False, hspace=0, wspace=0).ravel()
        for content, subfigure in zip(contents, grid, strict=False):
            draw(Panel(subfigure, width_in, height_in), content)
    return figure


def to_bytes(
    figure: Figure, file_format: Literal["png", "svg"], dpi: int = DPI, style: dict[Any, Any] = STYLE
) -> bytes:
    """The file's content; without date and random identifiers, the same figure gives the same bytes.

    Args:
        style: that in which the figure was drawn, as ticks are made when it is saved.
    """
    stream = io.BytesIO()
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")  # it draws boxes for them
        figure.savefig(stream, format=file_format, dpi=dpi, metadata={"Date": None} if file_format == "svg" else None)
    return stream.getvalue()
