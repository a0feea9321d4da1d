"""Synthesises a twelve-lead ECG as sums of Gaussian waves.

Leads I, II and V1 to V6 are made; III and the augmented leads follow from I and II by Einthoven's and Goldberger's
equations. Only ST levels are set lead by lead, because a specification names the leads in which they lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bsft.show.plots.params import LEADS, Ecg, PWaves, Rhythm, lead_names
from bsft.stats.arrays import Floats

SAMPLES_PER_SECOND = 500
MV_PER_MM = 0.1

_BROAD_QRS_MS = 116.0
_P_SIGMA_S = 0.022
_P_CENTRE_S = 0.050
"""From the beginning of the P wave to its peak."""
_USUAL_P_WAVES: Mapping[Rhythm, PWaves] = {
    "sinus": "present",
    "atrial_fibrillation": "absent",
    "atrial_flutter": "absent",
    "ventricular_tachycardia": "absent",
    "complete_heart_block": "dissociated",
}
_RECIPROCAL: Sequence[tuple[frozenset[str], Mapping[str, float]]] = (
    (frozenset({"I", "II", "III", "aVF"}), {"aVR": -0.8}),
    (frozenset({"II", "III", "aVF"}), {"aVL": -0.5, "aVR": -0.4}),
    (frozenset({"I", "aVL"}), {"III": -0.5, "aVF": -0.4, "aVR": -0.3}),
)
"""ST shifts of these limb leads force opposite ones, relative to `st_mm`, in others that are not named."""


@dataclass(frozen=True)
class Wave:
    """A Gaussian deflection of the QRS complex: centre and width as fractions of its duration, amplitude in mV in the
    leads I, II, V1, ..., V6."""

    centre: float
    sigma: float
    amplitudes_mv: tuple[float, float, float, float, float, float, float, float]


@dataclass(frozen=True)
class Morphology:
    """A QRS complex, the T wave that follows it and its own ST shift (mV, same leads)."""

    qrs: tuple[Wave, ...]
    t_mv: tuple[float, ...]
    st_mv: tuple[float, ...] = (0.0,) * 8


_P_MV = (0.07, 0.13, 0.05, 0.06, 0.06, 0.07, 0.07, 0.07)
_NORMAL_T_MV = (0.17, 0.28, 0.04, 0.35, 0.42, 0.40, 0.32, 0.24)
_FIBRILLATION_MV = (0.02, 0.05, 0.075, 0.04, 0.02, 0.02, 0.02, 0.02)
_FLUTTER_MV = (0.02, 0.17, -0.11, 0.03, 0.03, 0.03, 0.03, 0.03)

_NARROW = Morphology(
    qrs=(
        Wave(0.20, 0.065, (-0.06, -0.05, 0.00, 0.00, 0.00, -0.03, -0.07, -0.07)),
        Wave(0.45, 0.100, (0.72, 1.00, 0.22, 0.45, 0.85, 1.35, 1.25, 0.95)),
        Wave(0.72, 0.085, (-0.12, -0.15, -0.85, -1.20, -0.75, -0.45, -0.22, -0.08)),
    ),
    t_mv=_NORMAL_T_MV,
)
_BROAD = Morphology(
    qrs=(
        Wave(0.14, 0.060, (-0.05, -0.04, 0.00, 0.00, 0.00, -0.03, -0.06, -0.06)),
        Wave(0.42, 0.150, (0.66, 0.90, 0.22, 0.42, 0.75, 1.20, 1.10, 0.85)),
        Wave(0.74, 0.130, (-0.16, -0.22, -0.85, -1.15, -0.80, -0.55, -0.32, -0.16)),
    ),
    t_mv=_NORMAL_T_MV,
)
_LBBB = Morphology(
    qrs=(
        Wave(0.14, 0.070, (0.00, 0.00, 0.10, 0.14, 0.12, 0.10, 0.00, 0.00)),
        Wave(0.36, 0.125, (0.60, 0.45, 0.00, 0.00, 0.00, 0.00, 0.70, 0.80)),
        Wave(0.52, 0.165, (0.00, 0.00, -1.15, -1.55, -1.20, -0.45, 0.00, 0.00)),
        Wave(0.68, 0.125, (0.70, 0.45, 0.00, 0.00, 0.00, 0.00, 0.80, 0.95)),
    ),
    t_mv=(-0.20, -0.10, 0.35, 0.55, 0.50, 0.15, -0.20, -0.28),
    st_mv=(-0.06, -0.03, 0.12, 0.18, 0.12, 0.00, -0.06, -0.08),
)
_RBBB = Morphology(
    qrs=(
        Wave(0.18, 0.075, (-0.03, -0.04, 0.28, 0.40, 0.30, 0.05, -0.05, -0.06)),
        Wave(0.38, 0.080, (0.60, 0.85, -0.45, -0.70, 0.20, 1.10, 1.15, 0.90)),
        Wave(0.72, 0.120, (-0.28, -0.22, 0.85, 0.60, -0.20, -0.35, -0.35, -0.32)),
    ),
    t_mv=(0.15, 0.22, -0.25, -0.20, 0.15, 0.30, 0.28, 0.22),
)
_S1Q3T3 = Morphology(
    qrs=(
        Wave(0.20, 0.075, (0.05, -0.24, 0.00, 0.00, 0.00, 0.00, -0.03, -0.04)),
        Wave(0.45, 0.090, (0.45, 0.65, 0.25, 0.40, 0.60, 0.90, 0.85, 0.70)),
        Wave(0.73, 0.090, (-0.42, -0.18, -0.70, -0.95, -0.80, -0.70, -0.50, -0.35)),
    ),
    t_mv=(0.18, 0.03, -0.22, -0.28, -0.24, -0.10, 0.12, 0.14),
)
_DELTA = Morphology(
    qrs=(
        Wave(0.30, 0.135, (0.30, 0.38, 0.10, 0.25, 0.35, 0.40, 0.38, 0.32)),
        Wave(0.56, 0.110, (0.55, 0.90, 0.25, 0.50, 0.85, 1.20, 1.10, 0.85)),
        Wave(0.80, 0.070, (-0.08, -0.08, -0.60, -0.70, -0.40, -0.25, -0.12, -0.06)),
    ),
    t_mv=(-0.08, -0.08, 0.20, 0.28, 0.22, 0.05, -0.06, -0.08),
)
_VENTRICULAR_TACHYCARDIA = Morphology(
    qrs=(
        Wave(0.28, 0.140, (-0.30, -0.70, 0.85, 0.80, 0.45, -0.30, -0.65, -0.70)),
        Wave(0.62, 0.150, (-0.25, -0.90, 0.75, 0.60, 0.15, -0.60, -0.80, -0.75)),
    ),
    t_mv=(0.18, 0.28, -0.35, -0.32, -0.10, 0.25, 0.32, 0.32),
)
_PATTERNS: Mapping[str, Morphology] = {
    "lbbb": _LBBB, "rbbb": _RBBB, "s1q3t3": _S1Q3T3, "delta": _DELTA,
}  # fmt: skip


def synthesise(ecg: Ecg, duration_s: float) -> dict[str, Floats]:
    """The voltage of every lead in mV, `SAMPLES_PER_SECOND` per second, the same for the same parameters."""
    seconds = np.arange(round(duration_s * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    rng = np.random.default_rng(_seed(ecg))
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
    for cause, mirrored in _RECIPROCAL:
        if cause <= named:
            return {**{lead: ecg.st_mm * share for lead, share in mirrored.items() if lead not in named}, **levels}
    return levels


def _seed(ecg: Ecg) -> int:
    return int.from_bytes(hashlib.sha256(ecg.model_dump_json().encode()).digest()[:8])


def _morphology(ecg: Ecg) -> Morphology:
    if ecg.rhythm == "ventricular_tachycardia":
        return _VENTRICULAR_TACHYCARDIA
    if ecg.pattern == "none":
        return _BROAD if ecg.qrs_ms >= _BROAD_QRS_MS else _NARROW
    return _PATTERNS[ecg.pattern]


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
        beat += np.outer(wave.amplitudes_mv, _gaussian(seconds, wave.centre * qrs_s, wave.sigma * qrs_s))
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
    p_waves = ecg.p_waves or _USUAL_P_WAVES[ecg.rhythm]
    if p_waves != "absent":
        starts = _dissociated(ecg, onsets) if p_waves == "dissociated" else onsets - ecg.pr_ms / 1000
        train = np.sum([_gaussian(seconds, start + _P_CENTRE_S, _P_SIGMA_S) for start in starts], 0)
        atrial += np.outer(_P_MV, train * (0.3 if p_waves == "flattened" else 1.0))
    if ecg.rhythm == "atrial_fibrillation":
        atrial += np.outer(_FIBRILLATION_MV, _fibrillation(seconds, rng))
    elif ecg.rhythm == "atrial_flutter":
        atrial += np.outer(_FLUTTER_MV, _flutter(seconds, ecg.rate_bpm))
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
