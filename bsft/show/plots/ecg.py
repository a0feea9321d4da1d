"""The ECG on its paper: 25 mm/s, 10 mm/mV, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from bsft.show.plots.canvas import INK, axes_mm, new_figure
from bsft.show.plots.ecg_signal import SAMPLES_PER_SECOND, synthesise
from bsft.show.plots.params import Ecg, lead_names
from bsft.stats.arrays import Floats

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
DURATION_S = 10.0

_GRID_OF_LEADS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_RHYTHM_LEAD = "II"
_PAPER, _FINE, _COARSE = "#FFF7F5", "#F7D3CF", "#EBA39C"
_MARGIN_MM = 5.0
_PULSE_MM = 10.0
"""Width that the calibration pulse takes at the beginning of each row."""
_ROW_MM = 33.0
_LABEL_MM = 13.5
"""Height of a lead's name above its baseline, beyond most R waves."""
_HEAD_MM = 8.0
_TRACE_POINTS = 0.9


def ecg_figure(ecg: Ecg) -> Figure:
    """Twelve leads in three rows with a rhythm strip, or one strip for each lead that is named."""
    leads = synthesise(ecg, DURATION_S)
    named = lead_names(ecg.leads)
    rows: Sequence[Sequence[str]] = [(lead,) for lead in named] if named else [*_GRID_OF_LEADS, (_RHYTHM_LEAD,)]
    width_mm = 2 * _MARGIN_MM + _PULSE_MM + DURATION_S * MM_PER_SECOND
    height_mm = 2 * _MARGIN_MM + _HEAD_MM + _ROW_MM * len(rows)
    figure = new_figure(width_mm, height_mm, colour=_PAPER)
    axes = axes_mm(figure, 0, 0, width_mm, height_mm)
    axes.set(xlim=(0, width_mm), ylim=(0, height_mm))
    axes.set_axis_off()
    _draw_paper(axes, width_mm, height_mm)
    for i, row in enumerate(rows):
        _draw_row(axes, row, leads, height_mm - _MARGIN_MM - _HEAD_MM - (i + 0.55) * _ROW_MM)
    _write(axes, _MARGIN_MM + 1, height_mm - _MARGIN_MM - 4, _measurements(ecg))
    right_mm, scale = width_mm - _MARGIN_MM - 1, "25 mm/s   10 mm/mV"
    axes.text(right_mm, _MARGIN_MM - 1, scale, ha="right", va="center", fontsize=7.5, color=INK)
    return figure


def _draw_paper(axes: Axes, width_mm: float, height_mm: float) -> None:
    for step_mm, colour, points in ((1, _FINE, 0.35), (5, _COARSE, 0.6)):
        across = [[(x, 0.0), (x, height_mm)] for x in np.arange(0.0, width_mm + 0.5, step_mm)]
        along = [[(0.0, y), (width_mm, y)] for y in np.arange(0.0, height_mm + 0.5, step_mm)]
        axes.add_collection(LineCollection([*across, *along], colors=colour, linewidths=points, zorder=0))


def _draw_row(axes: Axes, row: Sequence[str], leads: dict[str, Floats], baseline_mm: float) -> None:
    """One line of the recording: the calibration pulse, then its leads one after the other in time."""
    pulse_x = np.array([0, 1.5, 1.5, 6.5, 6.5, 8.0]) + _MARGIN_MM
    axes.plot(pulse_x, baseline_mm + np.array([0, 0, 1, 1, 0, 0]) * MM_PER_MV, color=INK, linewidth=_TRACE_POINTS)
    n = round(DURATION_S * SAMPLES_PER_SECOND) // len(row)
    start_mm = _MARGIN_MM + _PULSE_MM
    for i, lead in enumerate(row):
        samples = np.arange(i * n, (i + 1) * n)
        x = start_mm + samples / SAMPLES_PER_SECOND * MM_PER_SECOND
        axes.plot(x, baseline_mm + leads[lead][samples] * MM_PER_MV, color=INK, linewidth=_TRACE_POINTS)
        if i:
            axes.plot([x[0], x[0]], baseline_mm + np.array([-3.0, 3.0]), color=INK, linewidth=0.6)
        _write(axes, x[0] + 1.2, baseline_mm + _LABEL_MM, lead)


def _write(axes: Axes, x_mm: float, y_mm: float, text: str) -> None:
    axes.text(x_mm, y_mm, text, ha="left", va="center", fontsize=9, fontweight="bold", color=INK)


def _measurements(ecg: Ecg) -> str:
    """What a recorder prints on top: intervals, no reading."""
    intervals = {"pr_ms": f"PR {ecg.pr_ms:g} ms", "qrs_ms": f"QRS {ecg.qrs_ms:g} ms"}
    given = [text for name, text in intervals.items() if name in ecg.model_fields_set]
    return "     ".join([f"Rate {ecg.rate_bpm:g}/min", *given])
