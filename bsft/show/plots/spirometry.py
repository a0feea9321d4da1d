"""Forced spirometry: flow-volume loop and volume-time curve of one and the same breath."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import cumulative_trapezoid

from bsft.show.plots.canvas import INK, MEASURED, axes_mm, footnote, new_figure
from bsft.show.plots.params import Spirometry
from bsft.stats.measures import Floats

PREDICTED_FVC_L = 4.0
"""A specification has percentages only; litres are drawn for this predicted vital capacity."""
PREDICTED_FEV1_FVC = 0.80
_DURATION_S = 8.0
_BLOW_S = 6.0
"""How long a person goes on blowing when the lungs are empty earlier."""
_INSPIRATORY_PEAK_PER_FVC = 1.4
"""Inspiratory flow (vital capacities a second) is that of healthy lungs, as it is in obstruction."""
_PEAK_AT = 0.12
"""Share of the vital capacity at which expiratory flow peaks."""
_PREDICTED_COLOUR = "#8A8A8A"


@dataclass(frozen=True)
class Breath:
    """A forced expiration and the inspiration that follows it."""

    time_s: Floats
    volume_l: Floats
    flow_l_per_s: Floats
    inspired_volume_l: Floats
    inspired_flow_l_per_s: Floats

    @property
    def fev1_l(self) -> float:
        return float(np.interp(1.0, self.time_s, self.volume_l))


def breath(fvc_l: float, ratio: float) -> Breath:
    """A breath with this vital capacity and FEV1/FVC.

    Flow rises to its peak and then falls with the volume that is left: almost straight in healthy lungs, more hollow
    the lower the ratio. The time to reach a volume is the integral of one over the flow, so the peak for which
    the ratio is out after one second is known at once.
    """
    hollowness = min(0.05 + 1.9 * max(0.0, PREDICTED_FEV1_FVC - ratio), 0.85)
    # flow alone would approach its last volume for ever; a person stops here, the emptier the faster the lungs empty
    last_share = 0.99 - 0.05 * hollowness
    shares = np.linspace(0.0, last_share, 2000)
    relative = _relative_flow(shares, hollowness)
    unscaled_s = np.asarray(cumulative_trapezoid(1 / relative, shares, initial=0))
    peak = float(np.interp(ratio * last_share, shares, unscaled_s))
    whole_l = fvc_l / last_share
    back = np.linspace(1.0, 0.0, 120)
    inspired = -_INSPIRATORY_PEAK_PER_FVC * fvc_l * (4 * back * (1 - back)) ** 0.6
    return Breath(
        time_s=unscaled_s / peak,
        volume_l=shares * whole_l,
        flow_l_per_s=relative * peak * whole_l,
        inspired_volume_l=back * fvc_l,
        inspired_flow_l_per_s=inspired,
    )


def _relative_flow(shares: Floats, hollowness: float) -> Floats:
    """Flow relative to its peak when these shares of the vital capacity are out."""
    rising = 0.08 + 0.92 * np.sin(np.pi / 2 * np.minimum(shares / _PEAK_AT, 1.0))
    left = (1 - shares) / (1 - _PEAK_AT)
    falling = (1 - hollowness) * left + hollowness * left**3
    return np.where(shares < _PEAK_AT, rising, falling)


def spirometry_figure(spirometry: Spirometry) -> Figure:
    """The measured breath over the predicted one, and the three numbers."""
    measured = breath(PREDICTED_FVC_L * spirometry.fvc_percent / 100, spirometry.fev1_fvc)
    predicted = breath(PREDICTED_FVC_L, PREDICTED_FEV1_FVC)
    figure = new_figure(230, 118, title="Spirometry")
    loops = axes_mm(figure, 18, 30, 92, 76)
    times = axes_mm(figure, 130, 30, 92, 76)
    for curve, colour, dashes, label in (
        (predicted, _PREDICTED_COLOUR, "--", "predicted"),
        (measured, MEASURED, "-", "measured"),
    ):
        look: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.7}
        whole = (curve.volume_l, curve.inspired_volume_l), (curve.flow_l_per_s, curve.inspired_flow_l_per_s)
        loops.plot(*map(np.concatenate, whole), **look, label=label)
        blown_s = np.append(curve.time_s, max(_BLOW_S, float(curve.time_s[-1])))
        times.plot(blown_s, np.append(curve.volume_l, curve.volume_l[-1]), **look)
    most_l = max(PREDICTED_FVC_L, measured.volume_l[-1]) + 0.4
    loops.set(xlabel="Volume (L)", ylabel="Flow (L/s): expiration up", xlim=(-0.1, most_l))
    loops.axhline(0, color=INK, linewidth=0.8)
    loops.grid(True)
    loops.legend(loc="upper right", frameon=False, fontsize=8.5)
    times.plot([1, 1], [0, measured.fev1_l], color=MEASURED, linewidth=0.9, linestyle=":")
    times.plot(1, measured.fev1_l, marker="o", markersize=4.5, color=MEASURED)
    times.annotate(
        "FEV1", (1, measured.fev1_l), xytext=(5, -9), textcoords="offset points", color=MEASURED, fontsize=8.5
    )
    longest_s = max(_DURATION_S, measured.time_s[-1] + 0.5)
    times.set(xlabel="Time (s)", ylabel="Volume (L)", xlim=(0, longest_s), ylim=(0, most_l))
    times.grid(True)
    numbers = (
        f"FEV1 {spirometry.fev1_percent:g}% of predicted        FVC {spirometry.fvc_percent:g}% of predicted        "
        f"FEV1/FVC {spirometry.fev1_fvc:.2f}"
    )
    figure.text(0.5, 12.5 / 118, numbers, ha="center", va="center", fontsize=10, color=INK)
    footnote(figure, f"Litres are drawn for a predicted FVC of {PREDICTED_FVC_L:.1f} L.")
    return figure
