"""Pixels of the figures that items hold as specifications: drawn when asked for, never part of an item.

A figure shows what its specification says and no interpretation of it, so that reading it remains the reader's task.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bsft.records.schema import ImageSpec
from bsft.show.plots.canvas import checked_suffix, save, style
from bsft.show.plots.charts import lab_trend_figure, temperature_figure
from bsft.show.plots.chest import chest_figure
from bsft.show.plots.ecg import ecg_figure
from bsft.show.plots.growth import growth_figure
from bsft.show.plots.hearing import audiogram_figure, tympanogram_figure
from bsft.show.plots.params import KINDS, parameters_of
from bsft.show.plots.spirometry import spirometry_figure

__all__ = ["KINDS", "render"]

_DRAWN_BY: dict[str, Callable[[Any], Figure]] = {
    "ecg": ecg_figure,
    "spirometry": spirometry_figure,
    "audiogram": audiogram_figure,
    "tympanogram": tympanogram_figure,
    "lab_trend": lab_trend_figure,
    "temperature_chart": temperature_figure,
    "growth_chart": growth_figure,
    "chest_xray": chest_figure,
}
"""Each takes the parameters of its kind, see `KINDS`."""


def render(spec: ImageSpec, path: Path, *, dpi: int = 150) -> Path:
    """Draws a figure into `path` (.png or .svg) and returns it; the same specification gives the same bytes.

    Raises:
        BadInput: a kind, parameter or value that is not allowed, or another file ending.
    """
    checked_suffix(path)
    parameters = parameters_of(spec)
    with style():
        save(_DRAWN_BY[spec.kind](parameters), path, dpi)
    return path
