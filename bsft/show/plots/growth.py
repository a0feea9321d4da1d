"""Weight for age on centile curves.

The curves are approximate: medians and spreads rounded from the WHO child growth standards (birth to 5 years) and
growth reference (5 to 10 years; https://www.who.int/tools/child-growth-standards), both sexes taken together, with a
log-normal spread in place of the LMS method. They serve to recognise a course, not to assess a child.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.interpolate import PchipInterpolator

from bsft.show.plots.canvas import MEASURED, chart, footnote
from bsft.show.plots.params import GrowthChart
from bsft.stats.arrays import Floats

_AGE_MONTHS = (0, 1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 60, 72, 84, 96, 108, 120)
_MEDIAN_KG = (3.3, 4.3, 5.3, 6.1, 6.7, 7.6, 8.6, 9.3, 10.6, 11.8, 14.1, 16.2, 18.3, 20.3, 22.6, 25.2, 28.1, 31.5)
_LOG_SD = (
    0.145, 0.135, 0.125, 0.12, 0.12, 0.115, 0.115, 0.115, 0.115, 0.12, 0.125, 0.13, 0.135, 0.14, 0.15, 0.16, 0.17, 0.18,
)  # fmt: skip
CENTILES: dict[str, float] = {
    "0.4": -2.67, "2": -2.0, "9": -1.33, "25": -0.67, "50": 0.0, "75": 0.67, "91": 1.33, "98": 2.0, "99.6": 2.67,
}  # fmt: skip
"""The nine centiles of British charts, each two thirds of a standard deviation from the next."""
_UNITS = (("weeks", 12 / 52, 3.0), ("months", 1.0, 30.0), ("years", 12.0, float("inf")))
"""Unit of age, its months, and the oldest age in months that is shown in it."""
_CENTILE_COLOUR = "#5E8FB8"


def centile_kg(age_months: Floats, z: float) -> Floats:
    """Weight at an age, `z` standard deviations from the median."""
    median = PchipInterpolator(_AGE_MONTHS, _MEDIAN_KG)(age_months)
    return np.asarray(median * np.exp(z * np.interp(age_months, _AGE_MONTHS, _LOG_SD)))


def growth_figure(growth: GrowthChart) -> Figure:
    """The child's weights over the nine centiles."""
    oldest = growth.age_months[-1]
    unit, months_per_unit = next((name, length) for name, length, most in _UNITS if oldest <= most)
    ages = np.linspace(*_window_months(growth), 300)
    figure, axes = chart("Growth chart: weight for age", 190, 128)
    for name, z in CENTILES.items():
        weights = centile_kg(ages, z)
        axes.plot(
            ages / months_per_unit, weights, color=_CENTILE_COLOUR, linewidth=1.3 if z == 0 else 0.9,
            linestyle="-" if list(CENTILES).index(name) % 2 == 0 else (0, (4, 2)),
        )  # fmt: skip
        axes.annotate(
            name, (float(ages[-1]) / months_per_unit, float(weights[-1])), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=7.5, color=_CENTILE_COLOUR,
        )  # fmt: skip
    axes.plot(
        np.array(growth.age_months) / months_per_unit, growth.weight_kg, color=MEASURED, marker="o", markersize=5,
        linewidth=1.8, zorder=4,
    )  # fmt: skip
    axes.set(xlim=(ages[0] / months_per_unit, ages[-1] / months_per_unit))
    axes.set(xlabel=f"Age ({unit})", ylabel="Weight (kg)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    axes.grid(True)
    footnote(figure, "Centiles are approximate (both sexes) and not for clinical use.")
    return figure


def _window_months(growth: GrowthChart) -> tuple[float, float]:
    """From birth for infants, else from a year before the first weight; to somewhat after the last."""
    first, last = growth.age_months[0], growth.age_months[-1]
    start = 0.0 if last <= 24 else max(0.0, first - 12)
    return start, min(120.0, max(3.0 if last <= 3 else last + max(2.0, 0.2 * (last - start)), last))
