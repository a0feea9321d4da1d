"""Simulated trends are compatible with life and move no faster than results can."""

from __future__ import annotations

import random

from bsft.bench.bank.load import load_bank
from bsft.bench.figures import lab_chart


def test_simulated_trends_stay_within_the_largest_change_of_a_day() -> None:
    analytes = load_bank().analytes
    drawn: set[str] = set()
    for seed in range(60):
        rng = random.Random(seed)
        for name, analyte in analytes.items():
            start = rng.uniform(analyte.plausible.low, analyte.plausible.high)
            if (chart := lab_chart(name, analyte, name, start, rng)) is None:
                continue
            values = chart.spec.params["values"]
            assert isinstance(values, list)
            drawn.add(name)
            step = 10.0**-analyte.decimals
            assert max(values) - min(values) <= (analyte.max_change_per_day or float("inf")) + step, (name, values)
    assert {"crp", "creatinine", "platelets"} <= drawn
    assert not {"albumin", "hba1c", "vitamin_d", "free_light_chain_ratio"} & drawn


def test_a_trend_is_large_enough_to_be_read() -> None:
    creatinine = load_bank().analytes["creatinine"]
    assert all(lab_chart("creatinine", creatinine, "it", 1200, random.Random(seed)) is None for seed in range(5))
    assert all(lab_chart("creatinine", creatinine, "it", 300, random.Random(seed)) for seed in range(5))
