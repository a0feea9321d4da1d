"""Pixels of the figures that items hold as specifications: drawn when asked for, never part of an item.

A figure shows what its specification says and no interpretation of it, so that reading it remains the reader's task.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bsft.config import did_you_mean
from bsft.display.canvas import to_bytes
from bsft.records.errors import BadInput, explained
from bsft.records.files import write_atomically
from bsft.records.schema import ImageSpec
from bsft.show.plots import params
from bsft.show.plots.canvas import STYLE
from bsft.show.plots.charts import growth_figure, lab_trend_figure, temperature_figure
from bsft.show.plots.chest import chest_figure
from bsft.show.plots.ecg import ecg_figure
from bsft.show.plots.hearing import audiogram_figure, tympanogram_figure
from bsft.show.plots.spirometry import spirometry_figure

KINDS: dict[str, tuple[type[params.Parameters], Callable[[Any], Figure]]] = {
    "ecg": (params.Ecg, ecg_figure),
    "spirometry": (params.Spirometry, spirometry_figure),
    "audiogram": (params.Audiogram, audiogram_figure),
    "tympanogram": (params.Tympanogram, tympanogram_figure),
    "lab_trend": (params.LabTrend, lab_trend_figure),
    "temperature_chart": (params.TemperatureChart, temperature_figure),
    "growth_chart": (params.GrowthChart, growth_figure),
    "chest_xray": (params.ChestXray, chest_figure),
}
"""What a kind of figure may be given, and what draws it."""
_FORMATS = (".png", ".svg")


def render(spec: ImageSpec, path: Path, *, dpi: int = 150) -> Path:
    """Draws a figure into `path` (.png or .svg) and returns it; the same specification gives the same bytes.

    Raises:
        BadInput: a kind, parameter or value that is not allowed, or another file ending; or it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise BadInput(f"{path}: found file ending {path.suffix!r}, allowed: {', '.join(_FORMATS)}")
    parameters = parameters_of(spec)
    with mpl.rc_context(STYLE):
        figure = KINDS[spec.kind][1](parameters)
    content = to_bytes(figure, "png" if suffix == ".png" else "svg", dpi, STYLE)
    write_atomically(path, content, durable=False)
    return path


def parameters_of(spec: ImageSpec) -> params.Parameters:
    """The checked parameters of a specification.

    Raises:
        BadInput: an unknown kind or parameter, a missing one, or a value that is not allowed.
    """
    if spec.kind not in KINDS:
        near = did_you_mean(spec.kind, tuple(KINDS))
        raise BadInput(f"figure: field kind: found {spec.kind!r}, allowed: {', '.join(KINDS)}{near}")
    kind, _ = KINDS[spec.kind]
    allowed = tuple(kind.model_fields)
    if unknown := sorted(set(spec.params) - set(allowed)):
        near = did_you_mean(unknown[0], allowed)
        raise BadInput(f"figure {spec.kind}: unknown parameter {unknown[0]!r}, allowed: {', '.join(allowed)}{near}")
    with explained(f"figure {spec.kind}"):
        return kind.model_validate(spec.params)
