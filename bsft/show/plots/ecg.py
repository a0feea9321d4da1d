"""The ECG: twelve leads as sums of Gaussian waves, on their paper (25 mm/s, 10 mm/mV), drawn to scale.

Leads I, II and V1 to V6 are made; III and the augmented leads follow from I and II by Einthoven's and Goldberger's
equations. Only ST levels are set lead by lead, because a specification names the leads in which they lie.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from pydantic import TypeAdapter

from bsft.records.untrusted import read_yaml
from bsft.show.plots.canvas import INK, axes_mm, new_figure
from bsft.show.plots.params import LEADS, Ecg, PWaves, Rhythm, lead_names
from bsft.stats.measures import Floats

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

EightLeads = tuple[float, float, float, float, float, float, float, float]
"""Of I, II, V1, ..., V6."""
SAMPLES_PER_SECOND = 500
MV_PER_MM = 0.1

_BROAD_QRS_MS = 116.0
_P_SIGMA_S = 0.022
_P_CENTRE_S = 0.050
"""From the beginning of the P wave to its peak."""


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


# --- the signal ---


@dataclass(frozen=True)
class Wave:
    """A Gaussian deflection of the QRS complex: centre and width as fractions of its duration, `(8,)` mV."""

    centre: float
    sigma: float
    mv: EightLeads


@dataclass(frozen=True)
class Morphology:
    """A QRS complex, the T wave that follows it and its own ST shift."""

    qrs: list[Wave]
    t_mv: EightLeads
    st_mv: EightLeads = (0.0,) * 8


@dataclass(frozen=True)
class _Waves:
    """What `ecg.yaml` holds."""

    usual_p_waves: dict[Rhythm, PWaves]
    reciprocal: list[tuple[frozenset[str], dict[str, float]]]
    p_mv: EightLeads
    fibrillation_mv: EightLeads
    flutter_mv: EightLeads
    morphologies: dict[str, Morphology]


WAVES = TypeAdapter(_Waves).validate_python(read_yaml(Path(__file__).with_name("ecg.yaml")))


def synthesise(ecg: Ecg, duration_s: float) -> dict[str, Floats]:
    """The voltage of every lead in mV, `SAMPLES_PER_SECOND` per second, the same for the same parameters."""
    seconds = np.arange(round(duration_s * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(ecg.model_dump_json().encode()).digest()[:8]))
    onsets = qrs_onsets(ecg, duration_s, rng)
    morphology = _morphology(ecg)
    measured = _atrial_activity(ecg, seconds, onsets, rng)
    st_window = np.zeros_like(seconds)
    for onset, rr_s in zip(onsets[:-1], np.diff(onsets), strict=True):
        after_s = seconds - onset
        measured += _ventricular_beat(ecg, morphology, after_s, float(rr_s))
        st_window += _st_window(ecg, after_s, float(rr_s))
    leads = _twelve(measured)
    for lead, level_mm in st_levels_mm(ecg).items():
        leads[lead] = leads[lead] + level_mm * MV_PER_MM * st_window
    return leads


def qrs_onsets(ecg: Ecg, duration_s: float, rng: np.random.Generator) -> Floats:
    """When the QRS complexes begin, in seconds; the first lies before the recording and the last after it."""
    rr_s = 60 / ecg.rate_bpm
    n = int(duration_s / rr_s) + 4
    intervals = np.full(n, rr_s)
    if ecg.rhythm == "atrial_fibrillation":
        intervals *= np.clip(rng.lognormal(sigma=0.22, size=n), 0.65, 1.6)
        # the mean interval of what is shown is that of the rate
        intervals *= rr_s / intervals[2:-2].mean()
    return 0.35 - 2 * rr_s + np.concatenate([[0.0], np.cumsum(intervals)])


def st_levels_mm(ecg: Ecg) -> dict[str, float]:
    """The ST level of each lead that has one: the named leads and those in which their shift is mirrored."""
    named = set(lead_names(ecg.st_leads)) if ecg.st_mm else set()
    levels = dict.fromkeys(sorted(named), ecg.st_mm)
    for causes, mirrored in WAVES.reciprocal:
        if causes <= named:
            return {**{lead: ecg.st_mm * share for lead, share in mirrored.items() if lead not in named}, **levels}
    return levels


def _morphology(ecg: Ecg) -> Morphology:
    name: str = ecg.pattern
    if ecg.rhythm == "ventricular_tachycardia":
        name = ecg.rhythm
    elif ecg.pattern == "none":
        name = "broad" if ecg.qrs_ms >= _BROAD_QRS_MS else "narrow"
    return WAVES.morphologies[name]


def _twelve(measured: Floats) -> dict[str, Floats]:
    one, two, *chest = measured
    limbs = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return dict(zip(LEADS, (*limbs, *chest), strict=True))


def _gaussian(seconds: Floats, centre_s: float, sigma_s: float) -> Floats:
    return np.exp(-0.5 * ((seconds - centre_s) / sigma_s) ** 2)


def _ventricular_beat(ecg: Ecg, morphology: Morphology, seconds: Floats, rr_s: float) -> Floats:
    """QRS, T and the pattern's own ST shift, `(8, T)`, for a complex that begins at 0."""
    qrs_s = ecg.qrs_ms / 1000
    beat = np.zeros((8, len(seconds)))
    for wave in morphology.qrs:
        beat += np.outer(wave.mv, _gaussian(seconds, wave.centre * qrs_s, wave.sigma * qrs_s))
    peak_s, rise_s, fall_s = _t_times_s(ecg, rr_s)
    t_wave = np.where(seconds < peak_s, _gaussian(seconds, peak_s, rise_s), _gaussian(seconds, peak_s, fall_s))
    beat += np.outer(_t_amplitudes_mv(ecg, morphology), t_wave)
    return beat + np.outer(morphology.st_mv, _st_window(ecg, seconds, rr_s))


def _t_times_s(ecg: Ecg, rr_s: float) -> tuple[float, float, float]:
    """Peak of the T wave after the beginning of the QRS complex, and the widths of its two limbs."""
    qt_s = 0.40 * min(rr_s, 1.2) ** (1 / 3) + max(0.0, ecg.qrs_ms / 1000 - 0.09)
    scale = qt_s / 0.40 * (0.6 if ecg.t_wave == "peaked" else 1.0)
    return qt_s - 0.085 * qt_s / 0.40, 0.048 * scale, 0.034 * scale


def _t_amplitudes_mv(ecg: Ecg, morphology: Morphology) -> Floats:
    normal = np.array(morphology.t_mv)
    match ecg.t_wave:
        case "peaked":
            return normal * 2.6
        case "flat":
            return normal * 0.12
        case "inverted" if ecg.pattern == "s1q3t3":
            return normal  # the pattern's own T waves are inverted in III and V1 to V4
        case "inverted":
            return -1.1 * normal
        case "normal":
            return normal


def _st_window(ecg: Ecg, seconds: Floats, rr_s: float) -> Floats:
    """1 from the end of the QRS complex into the T wave, 0 elsewhere, with smooth sides."""
    peak_s, _, fall_s = _t_times_s(ecg, rr_s)
    begin = 1 / (1 + np.exp(-np.clip((seconds - 0.92 * ecg.qrs_ms / 1000) / 0.006, -50, 50)))
    end = 1 / (1 + np.exp(np.clip((seconds - peak_s - fall_s) / 0.014, -50, 50)))
    return np.asarray(begin * end)


def _atrial_activity(ecg: Ecg, seconds: Floats, onsets: Floats, rng: np.random.Generator) -> Floats:
    """P waves, fibrillation or flutter, `(8, T)`."""
    atrial = np.zeros((8, len(seconds)))
    p_waves = ecg.p_waves or WAVES.usual_p_waves[ecg.rhythm]
    if p_waves != "absent":
        starts = _dissociated(ecg, onsets) if p_waves == "dissociated" else onsets - ecg.pr_ms / 1000
        train = np.sum([_gaussian(seconds, start + _P_CENTRE_S, _P_SIGMA_S) for start in starts], 0)
        atrial += np.outer(WAVES.p_mv, train * (0.3 if p_waves == "flattened" else 1.0))
    if ecg.rhythm == "atrial_fibrillation":
        atrial += np.outer(WAVES.fibrillation_mv, _fibrillation(seconds, rng))
    elif ecg.rhythm == "atrial_flutter":
        atrial += np.outer(WAVES.flutter_mv, _flutter(seconds, ecg.rate_bpm))
    return atrial


def _dissociated(ecg: Ecg, onsets: Floats) -> Floats:
    """Where P waves begin that march through on their own, at a rate that no ratio ties to the ventricles."""
    factor = 1.87 if ecg.rate_bpm < 60 else 0.57
    pp_s = 60 / min(max(ecg.rate_bpm * factor, 62.0), 97.0)
    return np.arange(onsets[0], onsets[-1], pp_s)


def _fibrillation(seconds: Floats, rng: np.random.Generator) -> Floats:
    hertz = rng.uniform(5.0, 8.5, size=5)
    phases = rng.uniform(0, 2 * np.pi, size=5)
    swell = 1 + 0.4 * np.sin(2 * np.pi * 0.7 * seconds + phases[0])
    waves = np.sum([np.sin(2 * np.pi * f * seconds + p) for f, p in zip(hertz, phases, strict=True)], 0)
    return np.asarray(swell * waves / np.sqrt(5))


def _flutter(seconds: Floats, rate_bpm: float) -> Floats:
    """A saw-tooth of about 300 a minute, a whole multiple of the ventricular rate: slow descent, fast rise."""
    hertz = max(1, round(300 / rate_bpm)) * rate_bpm / 60
    # np.sinc tapers the harmonics, which would otherwise ring
    harmonics = [np.sinc(k / 6) * np.sin(2 * np.pi * k * hertz * seconds) / k for k in range(1, 6)]
    return np.asarray(np.sum(harmonics, 0))
