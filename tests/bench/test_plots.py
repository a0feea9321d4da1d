"""Figures: what a clinician would measure on them, their errors, and that they are the same every time."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import find_peaks

from bsft.bench.bank.load import load_bank
from bsft.records.errors import BadInput
from bsft.records.schema import ImageSpec
from bsft.show.plots import KINDS, parameters_of, render
from bsft.show.plots.charts import CENTILES, centile_kg, lab_trend_figure
from bsft.show.plots.ecg import SAMPLES_PER_SECOND, ecg_figure, qrs_onsets, synthesise
from bsft.show.plots.hearing import audiogram_figure, tympanogram_figure
from bsft.show.plots.params import Audiogram, Ecg, LabTrend, Tympanogram
from bsft.show.plots.spirometry import breath
from bsft.stats.measures import Floats

EXAMPLES: dict[str, dict[str, Any]] = {
    "ecg": {"rate_bpm": 72.0, "leads": "II"},
    "spirometry": {"fev1_percent": 38.0, "fvc_percent": 84.0, "fev1_fvc": 0.42},
    "audiogram": {"frequencies_hz": [500.0, 1000.0], "right_db": [10.0, 20.0], "left_db": [30.0, 40.0]},
    "tympanogram": {"peak_dapa": -150.0, "compliance_ml": 0.7},
    "lab_trend": {"analyte": "sodium", "hours": [0.0, 24.0], "values": [131.0, 121.0]},
    "temperature_chart": {"hours": [0.0, 6.0], "celsius": [37.2, 39.4]},
    "growth_chart": {"age_months": [0.0, 1.0], "weight_kg": [3.5, 4.4]},
    "chest_xray": {"finding": "plate", "side": "left"},
}


def spec(kind: str, **params: Any) -> ImageSpec:
    return ImageSpec(kind=kind, params={**EXAMPLES.get(kind, {}), **params}, alt="a figure")


@pytest.fixture(scope="module")
def stemi() -> tuple[Ecg, dict[str, Floats]]:
    ecg = Ecg(rate_bpm=60, pr_ms=180, st_mm=3, st_leads="II, III, aVF")
    return ecg, synthesise(ecg, 10)


def level_mv(leads: dict[str, Floats], lead: str, second: float) -> float:
    return float(leads[lead][round(second * SAMPLES_PER_SECOND)])


def r_peaks_s(ecg: Ecg) -> Floats:
    found, _ = find_peaks(synthesise(ecg, 10)["II"], height=0.5, distance=SAMPLES_PER_SECOND * 0.2)
    return np.asarray(found / SAMPLES_PER_SECOND)


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_every_kind_is_drawn_and_always_alike(kind: str, suffix: str, tmp_path: Path) -> None:
    first = render(spec(kind), tmp_path / f"first{suffix}", dpi=50).read_bytes()
    assert first.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    assert render(spec(kind), tmp_path / f"second{suffix}", dpi=50).read_bytes() == first


def test_the_examples_cover_every_kind() -> None:
    assert set(EXAMPLES) == set(KINDS)


def test_the_bank_asks_for_nothing_that_cannot_be_drawn() -> None:
    figures = [condition.figure for condition in load_bank().conditions.values() if condition.figure]
    for figure in figures:
        parameters_of(ImageSpec(kind=figure.kind, params=figure.params, alt="a figure"))
    assert {figure.kind for figure in figures} == set(KINDS) - {"chest_xray"}


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("ekg", {}, "field kind: found 'ekg', allowed: ecg, spirometry"),
        ("ekg", {}, "did you mean ecg?"),
        ("ecg", {"rate": 60.0}, "figure ecg: unknown parameter 'rate', allowed: rhythm, rate_bpm"),
        ("ecg", {"rhythm": "jazz"}, "figure ecg: field rhythm: found 'jazz': input should be 'sinus'"),
        ("ecg", {"rate_bpm": "fast"}, "figure ecg: field rate_bpm: found 'fast'"),
        ("ecg", {"st_leads": "II, V9"}, "no lead V9; allowed are I, II"),
        ("ecg", {"rate_bpm": 900.0}, "field rate_bpm: found 900.0: input should be less than or equal to 300"),
        ("audiogram", {"left_db": [10.0]}, "left_db has 1 values for 2 frequencies_hz"),
        ("lab_trend", {"hours": [24.0, 0.0]}, "hours must increase; found 24, 0"),
        ("lab_trend", {"analyte": "sodum"}, "parameter analyte: found 'sodum'; did you mean sodium?"),
        ("growth_chart", {"age_months": [0.0, 300.0]}, "field age_months.1: found 300.0"),
    ],
)
def test_wrong_specifications_are_named(kind: str, params: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        render(spec(kind, **params), tmp_path / "figure.png")
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_parameter_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="figure ecg: field rate_bpm: missing"):
        render(ImageSpec(kind="ecg", params={}, alt="a figure"), tmp_path / "figure.png")


def test_other_file_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"found file ending '.gif', allowed: .png, .svg"):
        render(spec("ecg"), tmp_path / "figure.gif")


def test_st_elevation_is_as_high_as_specified_and_mirrored_in_avl(stemi: tuple[Ecg, dict[str, Floats]]) -> None:
    ecg, leads = stemi
    onset = qrs_onsets(ecg, 10, np.random.default_rng(0))[3]
    st_point = onset + 0.09 + 0.06
    for lead, mm in {"II": 3.0, "III": 3.0, "aVF": 3.0, "aVL": -1.5, "V2": 0.0, "V5": 0.0}.items():
        baseline = level_mv(leads, lead, onset - 0.25)
        assert (level_mv(leads, lead, st_point) - baseline) * 10 == pytest.approx(mm, abs=0.4), lead


def test_p_wave_precedes_the_qrs_complex_by_the_pr_interval(stemi: tuple[Ecg, dict[str, Floats]]) -> None:
    ecg, leads = stemi
    onset = qrs_onsets(ecg, 10, np.random.default_rng(0))[3]
    before = leads["II"][round((onset - 0.2) * SAMPLES_PER_SECOND) : round((onset - 0.02) * SAMPLES_PER_SECOND)]
    peak_s = -0.2 + int(before.argmax()) / SAMPLES_PER_SECOND
    assert peak_s == pytest.approx(-0.18 + 0.05, abs=0.004)


@pytest.mark.parametrize("rhythm", ["sinus", "atrial_fibrillation", "complete_heart_block"])
@pytest.mark.parametrize("rate_bpm", [42.0, 72.0, 126.0])
def test_beats_come_at_the_rate(rhythm: Any, rate_bpm: float) -> None:
    peaks = r_peaks_s(Ecg(rhythm=rhythm, rate_bpm=rate_bpm))
    assert len(peaks) == pytest.approx(rate_bpm / 6, abs=1.01)


def test_only_fibrillation_is_irregular() -> None:
    spread = {}
    for rhythm in ("sinus", "atrial_fibrillation"):
        intervals = np.diff(r_peaks_s(Ecg.model_validate({"rhythm": rhythm, "rate_bpm": 120.0})))
        spread[rhythm] = intervals.std() / intervals.mean()
    assert spread["sinus"] < 0.01
    assert spread["atrial_fibrillation"] > 0.1


def test_limb_leads_obey_einthoven_and_goldberger() -> None:
    leads = synthesise(Ecg(rate_bpm=80, pattern="lbbb", qrs_ms=150), 4)
    assert np.allclose(leads["I"] + leads["III"], leads["II"])
    assert np.allclose(leads["aVR"] + leads["aVL"] + leads["aVF"], 0)


def test_t_waves_and_p_waves_follow_their_parameters() -> None:
    def extremes(**params: Any) -> tuple[float, float]:
        """Height of lead V3 between QRS and the next P wave, and of II before the QRS complex."""
        leads = synthesise(Ecg.model_validate({"rate_bpm": 60.0, **params}), 10)
        t = leads["V3"][round(0.55 * SAMPLES_PER_SECOND) : round(0.9 * SAMPLES_PER_SECOND)]
        p = leads["II"][round(1.19 * SAMPLES_PER_SECOND) : round(1.30 * SAMPLES_PER_SECOND)]
        return float(t[np.abs(t).argmax()]), float(p.max())

    normal, p_normal = extremes()
    assert extremes(t_wave="peaked")[0] > 2 * normal
    assert extremes(t_wave="inverted")[0] < -normal
    assert 0 < extremes(t_wave="flat")[0] < 0.2 * normal
    assert extremes(p_waves="flattened")[1] < 0.5 * p_normal
    assert extremes(p_waves="absent")[1] < 0.01


def test_the_paper_is_to_scale() -> None:
    """The ten seconds of the rhythm strip take 250 mm, which the figure's own size confirms."""
    figure = ecg_figure(Ecg(rate_bpm=72))
    [axes] = figure.axes
    width_mm = figure.get_size_inches()[0] * 25.4
    assert axes.get_xlim() == pytest.approx((0, width_mm))
    rhythm_strip = max((np.asarray(line.get_xdata()) for line in axes.lines), key=len)
    assert rhythm_strip[-1] - rhythm_strip[0] == pytest.approx(250, abs=0.1)
    labels = [text.get_text() for text in axes.texts]
    assert labels.count("II") == 2
    assert {"I", "aVR", "V1", "V6", "25 mm/s   10 mm/mV"} <= set(labels)


@pytest.mark.parametrize("ratio", [0.25, 0.42, 0.70, 0.86])
def test_the_volume_after_one_second_is_the_fev1(ratio: float) -> None:
    drawn = breath(3.0, ratio)
    assert drawn.fev1_l == pytest.approx(3.0 * ratio, rel=1e-3)
    assert drawn.volume_l[-1] == pytest.approx(3.0)


def test_obstruction_hollows_the_loop() -> None:
    def flow_at_half(ratio: float) -> float:
        drawn = breath(4.0, ratio)
        return float(np.interp(2.0, drawn.volume_l, drawn.flow_l_per_s) / drawn.flow_l_per_s.max())

    assert flow_at_half(0.42) < 0.35 < 0.5 < flow_at_half(0.85)


def test_audiogram_symbols_and_axis() -> None:
    [axes] = audiogram_figure(Audiogram.model_validate(EXAMPLES["audiogram"])).axes
    right, left = axes.lines[:2]
    assert (right.get_marker(), left.get_marker()) == ("o", "x")
    assert right.get_color() == "#C8102E"
    assert left.get_color() == "#0B4FA8"
    assert list(np.asarray(left.get_ydata())) == [30.0, 40.0]
    assert axes.yaxis_inverted()


def test_tympanogram_peaks_where_it_should() -> None:
    [axes] = tympanogram_figure(Tympanogram(peak_dapa=-150, compliance_ml=0.7)).axes
    curve = next(line for line in axes.lines if line.get_label() == "measured")
    x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert x[y.argmax()] == pytest.approx(-150)
    assert y.max() == pytest.approx(0.7)


def test_lab_trend_shows_the_reference_ranges() -> None:
    figure = lab_trend_figure(LabTrend(analyte="creatinine", hours=[0, 240, 480, 720], values=[84, 128, 196, 268]))
    [axes] = figure.axes
    assert axes.get_xlabel() == "Time (days)"
    assert [text.get_text() for text in axes.texts] == ["84", "128", "196", "268"]
    assert "women 45 to 84 µmol/L; men 59 to 104 µmol/L" in figure.texts[-1].get_text()


def test_centiles_lie_in_order_around_the_median() -> None:
    ages = np.linspace(0, 120, 50)
    curves = [centile_kg(ages, z) for z in CENTILES.values()]
    assert all((low < high).all() for low, high in itertools.pairwise(curves))
    assert centile_kg(np.array([12.0]), 0.0)[0] == pytest.approx(9.3)
