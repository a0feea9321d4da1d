"""Audiogram and tympanogram, in the layout of the British Society of Audiology's forms."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from bsft.show.plots.canvas import INK, LABEL, MEASURED, axes_mm, chart, footnote, new_figure
from bsft.show.plots.params import Audiogram, Tympanogram

RIGHT_COLOUR, LEFT_COLOUR = "#C8102E", "#0B4FA8"
_OCTAVES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)
_OCTAVE_MM = 17.0
"""On an audiogram one octave is as wide as 20 dB are high (ISO 8253-1)."""
_DB_RANGE = (-10.0, 120.0)

NORMAL_PEAK_DAPA = (-50.0, 50.0)
NORMAL_COMPLIANCE_ML = (0.3, 1.6)
_PRESSURES_DAPA = (-400.0, 200.0)
_WIDTH_DAPA = 55.0
"""Half width of the peak at half of its height, for a middle ear of ordinary compliance."""


def audiogram_figure(audiogram: Audiogram) -> Figure:
    """Right ear red circles, left ear blue crosses; hearing level increases downwards."""
    width_mm = _OCTAVE_MM * (len(_OCTAVES_HZ) - 0.2)
    height_mm = _OCTAVE_MM * (_DB_RANGE[1] - _DB_RANGE[0]) / 20
    figure = new_figure(width_mm + 34, height_mm + 34, title="Pure-tone audiogram")
    axes = axes_mm(figure, 22, 12, width_mm, height_mm)
    octaves = np.log2(np.array(audiogram.frequencies_hz) / 125)
    axes.plot(
        octaves, audiogram.right_db, color=RIGHT_COLOUR, marker="o", markersize=9, markerfacecolor="none",
        markeredgewidth=1.7, linewidth=1.4, label="right ear, air conduction", clip_on=False, zorder=4,
    )  # fmt: skip
    axes.plot(
        octaves, audiogram.left_db, color=LEFT_COLOUR, marker="x", markersize=9, markeredgewidth=1.9,
        linewidth=1.4, linestyle=(0, (5, 2)), label="left ear, air conduction", clip_on=False, zorder=5,
    )  # fmt: skip
    axes.set_xticks(range(len(_OCTAVES_HZ)), [str(hertz) for hertz in _OCTAVES_HZ])
    axes.set(xlim=(-0.4, len(_OCTAVES_HZ) - 0.6), ylim=_DB_RANGE[::-1])
    axes.set(xlabel="Frequency (Hz)", ylabel="Hearing level (dB HL)")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.yaxis.set_major_locator(MultipleLocator(10))
    axes.grid(True)
    axes.axhline(0, color=LABEL, linewidth=1.1)
    axes.legend(loc="lower left", fontsize=8.5, framealpha=1, edgecolor="white")
    return figure


def tympanogram_figure(tympanogram: Tympanogram) -> Figure:
    """Compliance against ear canal pressure, with the box in which an adult's peak normally lies."""
    figure, axes = chart("Tympanogram (226 Hz)", 170, 112)
    pressures = np.linspace(*_PRESSURES_DAPA, 601)
    compliance = tympanogram.compliance_ml / (1 + ((pressures - tympanogram.peak_dapa) / _WIDTH_DAPA) ** 2)
    (low, high), (least, most) = NORMAL_PEAK_DAPA, NORMAL_COMPLIANCE_ML
    axes.plot(
        [low, high, high, low, low], [least, least, most, most, least], color="#4C9A5B", linewidth=1.2,
        linestyle="--", label="normal peak of an adult",
    )  # fmt: skip
    axes.plot(pressures, compliance, color=MEASURED, linewidth=1.9, label="measured")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(xlim=_PRESSURES_DAPA, ylim=(0, max(2.0, tympanogram.compliance_ml * 1.2)))
    axes.set(xlabel="Ear canal pressure (daPa)", ylabel="Compliance (mL)")
    axes.xaxis.set_major_locator(MultipleLocator(100))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(True)
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)
    footnote(figure, "Compensated for the volume of the ear canal.")
    return figure
