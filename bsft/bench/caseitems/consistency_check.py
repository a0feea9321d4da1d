"""Consistency check on records: two people give different values of one set, or times cannot be as stated.

Labels: no_flag, flag_speakers, flag_time. Oracle: both statements are visible and name the same set of observations or
the same sample; a sample is not taken before the patient arrives.
"""

from __future__ import annotations

import random

from bsft.bench.casefile import clock
from bsft.bench.caseitems.chart import Chart, LeftOut
from bsft.bench.caseitems.scenes import base_scene
from bsft.bench.perturb import OPENING_TURNS, Pair
from bsft.bench.records import Role
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulate import VITAL_PHRASES, number
from bsft.bench.tasks import consistency_check
from bsft.bench.tasks.twins import NO_FLAG

LABELS = (NO_FLAG, "flag_speakers", "flag_time")
SPEC = consistency_check.SPEC.model_copy(update={"labels": list(LABELS)})

MIN_CHANGE, MAX_CHANGE = 0.15, 0.3
"""The second speaker's value differs by this part of the first one's: too much for rounding, and still plausible."""
_RESIDENT: tuple[str, Role] = ("Resident", "resident")


def place(scene: Scene, slot: Slot, rng: random.Random, *, after: str | None = None) -> Scene:
    """The scene with a further turn, somewhere after its opening or after the slot `after`."""
    first = OPENING_TURNS if after is None else scene.index(after) + 1
    return scene.insert(rng.randint(min(first, len(scene.slots)), len(scene.slots)), slot)


def speakers(chart: Chart) -> Pair:
    """The resident repeats a reading or result, rightly or wrongly."""
    rng = chart.rng("speakers")
    names = [v for v in chart.shown_vitals if v != "temperature_c"]
    named = [*names, *(result.analyte_id for result in chart.results if result.value > 0)]
    if not named:
        raise LeftOut("no reading or result that could be repeated")
    chosen = rng.choice(named)
    factor = 1 + rng.choice((-1, 1)) * rng.uniform(MIN_CHANGE, MAX_CHANGE)
    if chosen in names:
        factor = 1 - abs(factor - 1) if chosen == "oxygen_saturation_percent" else factor
        said, other = chart.vital_text(chosen), chart.vital_text(chosen, chart.vitals[chosen] * factor)
        source, topic, wordings = "observations", VITAL_PHRASES[chosen][0], chart.words.repeat_vital
    else:
        result = next(result for result in chart.results if result.analyte_id == chosen)
        said = f"{result.name} {result.measured()}"
        other = f"{result.name} {result.measured(number(result.value * factor, result.decimals))}"
        source, topic, wordings = "laboratory", result.spoken_name, chart.words.repeat_result
    if said == other:
        raise LeftOut("no reading or result that could be repeated with another value")
    repeat = chart.slot("repeat", wordings, _RESIDENT, value=said)
    scene = place(base_scene(chart), repeat, rng, after=source)
    return Pair(
        "consistency/speakers", "flag_speakers", scene, "repeat", "value", other, claims={"topic": f"the {topic}"}
    )


def time(chart: Chart) -> Pair:
    """The patient arrives after the blood sample."""
    rng = chart.rng("time")
    scene = base_scene(chart)
    if "laboratory" not in scene:
        raise LeftOut("no laboratory results")
    arrival, late = (clock(chart.clock_minutes + sign * rng.randrange(35, 120, 5)) for sign in (-1, 1))
    slot = chart.slot("arrival", chart.words.arrival, ("Nurse", "nurse"), arrival=arrival)
    return Pair("consistency/clock", "flag_time", place(scene, slot, rng), "arrival", "arrival", late)


MAKERS = {"flag_speakers": speakers, "flag_time": time}
