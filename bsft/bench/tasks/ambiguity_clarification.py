"""Ambiguity clarification.

Abstract: an order names a class ("stop the blood thinner") and the chart holds two things of that class.
Group: proactive. Source: ours.
Labels: no_flag, flag_which_medicine, flag_which_site, flag_which_test, flag_which_strength.
Metric: macro-F1.
Oracle: `problems.yaml`: in the clean twin only one of the two things belongs to the class that the order names.
Sample: "On the chart are apixaban and enoxaparin." ... "Stop the blood thinner tonight, please." and "What shall I tell
    the night team?" -> "... One concern: the order to stop the blood thinner could mean apixaban or enoxaparin ..."
"""

import itertools
import random
from dataclasses import replace
from functools import partial

from bsft.bench.left_out import LeftOut
from bsft.bench.problem import Problem, draw_edit
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.conversation import ATTENDING, CONSULTANT, NURSE, PHARMACIST, RESIDENT
from bsft.bench.tasks.alerting import Kind, proactive_spec
from bsft.bench.wordings.problem_data import Ambiguity


def _problem(label: str, case: SimulatedCase, rng: random.Random) -> Problem:
    """Two things are on the chart; in the perturbed twin both are what the order may mean."""
    entry = rng.choice(_entries(case, label))
    ambiguous = {f"{one} and {other}": (one, other) for one, other in entry.shown}
    clean, shown = draw_edit(itertools.product(map(" and ".join, entry.clean), ambiguous), rng)
    one, other = ambiguous[shown]
    words = case.words.situations
    chart = case.slot(
        "chart", words.two_things, rng.choice((NURSE, PHARMACIST, RESIDENT)),
        things=clean,
    )  # fmt: skip
    if entry.because:
        chart = replace(chart, template=f"{chart.template} {entry.because}")
    order = case.slot("class order", words.class_order, rng.choice((ATTENDING, CONSULTANT)), order=entry.order)
    scene = case.place(case.scene("background"), rng, chart, order)
    claim = {"order": entry.order, "one": one, "other": other}
    kind = f"ambiguity/{label.removeprefix('flag_which_')}"
    return Problem(kind, label, scene, "chart", "things", shown, claim, partner="class order")


def _entries(case: SimulatedCase, label: str) -> list[Ambiguity]:
    found = [entry for entry in case.words.problems.ambiguities if entry.label == label and case.suits(entry.applies)]
    if not found:
        raise LeftOut(f"no ambiguous order of {label} suits the patient")
    return found


KINDS = tuple(
    Kind(f"ambiguity/{what}", f"flag_which_{what}", "core", partial(_problem, f"flag_which_{what}"), weight,
         is_listed=True)
    for what, weight in (("medicine", 1.6), ("site", 1.0), ("test", 1.0), ("strength", 1.2))
)  # fmt: skip

SPEC = proactive_spec("ambiguity_clarification", KINDS, "bsft")
