"""Charts of one quantity over time: a laboratory result with its reference range, the temperature, weight for age.

Centile curves of weight are approximate: medians and spreads rounded from the WHO child growth standards (birth to 5
years) and growth reference (5 to 10 years; https://www.who.int/tools/child-growth-standards), both sexes taken
together, with a log-normal spread in place of the LMS method. They serve to recognise a course, not to assess a child.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from scipy.interpolate import PchipInterpolator

from bsft.bench.bank.load import load_bank
from bsft.bench.bank.reference_schema import Analyte
from bsft.bench.bank.schema import Range
from bsft.config import did_you_mean
from bsft.records.errors import BadInput
from bsft.show.plots.canvas import INK, MEASURED, NORMAL_BAND, chart, footnote
from bsft.show.plots.params import GrowthChart, LabTrend, TemperatureChart
from bsft.stats.measures import Floats

_TIME_UNITS = (("hours", 1.0, 72.0), ("days", 24.0, 30 * 24.0), ("weeks", 7 * 24.0, float("inf")))
"""Unit, its hours, and the longest span in hours that is shown in it."""
_TIME_STEPS = (0.25, 0.5, 1, 2, 3, 4, 6, 12, 24, 48, 120, 480)
_MOST_TICKS = 13
_CELSIUS_RANGE = (35.0, 41.0)

_AGE_MONTHS = (0, 1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 60, 72, 84, 96, 108, 120)
_MEDIAN_KG = (3.3, 4.3, 5.3, 6.1, 6.7, 7.6, 8.6, 9.3, 10.6, 11.8, 14.1, 16.2, 18.3, 20.3, 22.6, 25.2, 28.1, 31.5)
_LOG_SD = (
    0.145, 0.135, 0.125, 0.12, 0.12, 0.115, 0.115, 0.115, 0.115, 0.12, 0.125, 0.13, 0.135, 0.14, 0.15, 0.16, 0.17, 0.18,
)  # fmt: skip
CENTILES: dict[str, float] = {
    "0.4": -2.67, "2": -2.0, "9": -1.33, "25": -0.67, "50": 0.0, "75": 0.67, "91": 1.33, "98": 2.0, "99.6": 2.67,
}  # fmt: skip
"""The nine centiles of British charts, each two thirds of a standard deviation from the next."""
_AGE_UNITS = (("weeks", 12 / 52, 3.0), ("months", 1.0, 30.0), ("years", 12.0, float("inf")))
"""Unit of age, its months, and the oldest age in months that is shown in it."""
_CENTILE_COLOUR = "#5E8FB8"


def lab_trend_figure(trend: LabTrend) -> Figure:
    """
    Raises:
        BadInput: the bank has no such analyte.
    """
    analytes = load_bank().analytes
    if trend.analyte not in analytes:
        near = did_you_mean(trend.analyte, list(analytes))
        raise BadInput(
            f"figure lab_trend: parameter analyte: found {trend.analyte!r}{near}; allowed: {', '.join(analytes)}"
        )
    analyte = analytes[trend.analyte]
    figure, axes = chart(analyte.name)
    bands = list(_reference_bands(analyte))
    for _, band in bands:
        axes.axhspan(band.low, band.high, color=NORMAL_BAND, alpha=0.75, linewidth=0, zorder=0)
    _draw_course(axes, trend.hours, trend.values, analyte.decimals)
    low = min(*trend.values, *(band.low for _, band in bands))
    high = max(*trend.values, *(band.high for _, band in bands))
    margin = 0.12 * (high - low)
    bottom = max(0.0, low - margin) if low >= 0 else low - margin
    axes.set(ylim=(bottom, high + margin), ylabel=f"{analyte.name} ({analyte.unit})")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.{analyte.decimals}f}"))
    shown = "; ".join(f"{who}{band.low:g} to {band.high:g} {analyte.unit}" for who, band in bands)
    footnote(figure, f"Shaded: reference range of adults, {shown}")
    return figure


def _reference_bands(analyte: Analyte) -> Iterator[tuple[str, Range]]:
    """Whom a range holds for, and the range; a figure does not say whose result it shows."""
    if analyte.reference is not None:
        yield "", analyte.reference
    elif analyte.reference_female is not None and analyte.reference_male is not None:
        yield "women ", analyte.reference_female
        yield "men ", analyte.reference_male


def temperature_figure(temperature: TemperatureChart) -> Figure:
    """The ward's chart: lines every 0.2 °C, a heavy one at 37 °C, points joined by straight lines."""
    figure, axes = chart("Temperature chart")
    axes.axhline(37.0, color="#C8102E", linewidth=1.2, zorder=1)
    _draw_course(axes, temperature.hours, temperature.celsius, 1)
    low, high = _CELSIUS_RANGE
    ends = min(low, min(temperature.celsius) - 0.4), max(high, max(temperature.celsius) + 0.6)
    axes.set(ylim=ends, ylabel="Temperature (°C)")
    axes.yaxis.set_major_locator(MultipleLocator(1))
    axes.yaxis.set_minor_locator(MultipleLocator(0.2))
    axes.grid(True, which="minor", axis="y", linewidth=0.35)
    axes.grid(True, which="major", linewidth=0.9)
    return figure


def _draw_course(axes: Axes, hours: Sequence[float], values: Sequence[float], decimals: int) -> None:
    """Points joined by lines, each with its value; time in the unit that suits the span."""
    unit, hours_per_unit = next((name, length) for name, length, most in _TIME_UNITS if hours[-1] - hours[0] <= most)
    times = [hour / hours_per_unit for hour in hours]
    axes.plot(times, values, color=MEASURED, marker="o", markersize=5, linewidth=1.6, zorder=4)
    for i, value in enumerate(values):
        x_points, y_points, side = _label_place(values, i)
        axes.annotate(
            f"{value:,.{decimals}f}", (times[i], value), xytext=(x_points, y_points), textcoords="offset points",
            ha=side, va="center", fontsize=8, color=INK, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
        )  # fmt: skip
    span = times[-1] - times[0]
    axes.set(xlim=(times[0] - 0.04 * span, times[-1] + 0.04 * span), xlabel=f"Time ({unit})")
    step = next((step for step in _TIME_STEPS if span / step < _MOST_TICKS), _TIME_STEPS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.grid(True)


def _label_place(values: Sequence[float], i: int) -> tuple[float, float, str]:
    """Where a point's value is written so that the line does not cross it: offset in points and alignment."""
    before, after = values[max(0, i - 1)], values[min(len(values) - 1, i + 1)]
    if max(before, after) <= values[i]:
        return 0, 10, "center"
    if min(before, after) >= values[i]:
        return 0, -10, "center"
    return (-3, 8, "right") if before < after else (3, 8, "left")


def centile_kg(age_months: Floats, z: float) -> Floats:
    """Weight at an age, `z` standard deviations from the median."""
    median = PchipInterpolator(_AGE_MONTHS, _MEDIAN_KG)(age_months)
    return np.asarray(median * np.exp(z * np.interp(age_months, _AGE_MONTHS, _LOG_SD)))


def growth_figure(growth: GrowthChart) -> Figure:
    """The child's weights over the nine centiles."""
    oldest = growth.age_months[-1]
    unit, months_per_unit = next((name, length) for name, length, most in _AGE_UNITS if oldest <= most)
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
