"""What concerns about a simulated case name, and the unjustified one in every reactive and balanced item."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bsft.bench.replies import UNJUSTIFIED, OptionWordings
from bsft.bench.scene import Scene, fill
from bsft.bench.spoken import VITAL_PHRASES, spoken, spoken_analyte

if TYPE_CHECKING:
    from bsft.bench.simulated.case import SimulatedCase

BASE_CONCERNS: Mapping[str, str] = {
    "flag_allergy": "allergy",
    "flag_critical_vital": "observations",
    "flag_history_medication": "background",
    "flag_critical_lab": "laboratory",
    "flag_lab_value": "laboratory",
    "flag_exam_imaging": "imaging",
}
"""Concerns that any scene could raise wrongly, and the slot that must be there to speak of them."""

DRAWS = 4
"""Draws of wordings from which an unjustified concern is chosen."""


def unjustified_concern(case: SimulatedCase, scene: Scene, rng: random.Random) -> OptionWordings:
    """Unjustified concerns about things that the scene shows: one, or several beside answers that are longer."""
    fields = base_claims(case)
    if "order" not in scene:
        fields["drug"] = case.home_medicine.drug
    labels = [label for label, slot in BASE_CONCERNS.items() if slot in scene]
    rng.shuffle(labels)
    claims = {label: [fill(claim, fields) for claim in case.replies.claims[label]] for label in labels}
    # Every number of concerns adds texts of another length.
    draws = [[rng.choice(claims[label]) for label in labels] for _ in range(DRAWS)]
    several = ["; ".join(chosen[:count]) for chosen in draws for count in range(2, len(labels) + 1)]
    single = [claim for own in claims.values() for claim in own]
    return OptionWordings(UNJUSTIFIED, True, case.spoken_claims([*single, *several]))


def base_claims(case: SimulatedCase) -> dict[str, str]:
    """What the claims about the base scene name; drawn as problems draw it, so that it tells nothing."""
    rng = case.rng("claims")
    critical = case.quiet_labs or [a for a in case.shown_labs if a in case.condition.normal_labs]
    analytes = case.bank.analytes
    return {
        "drug": case.conflict_drug or case.main_drug,
        "hazard_drug": case.main_drug,
        "allergen": rng.choice([name for name in case.bank.allergens if name not in case.allergens]),
        "hazard": rng.choice(sorted(case.words.threads.hazards.values())),
        "dosed_drug": case.doses[0][1].drug,
        "analyte": spoken_analyte(analytes[rng.choice(critical)]),
        "printed_analyte": spoken_analyte(analytes[rng.choice(case.shown_labs)]),
        "vital": VITAL_PHRASES[rng.choice(case.quiet_vitals or case.shown_vitals)][0],
        "study": spoken(case.imaging.study),
        "site": spoken(case.exams[0].site),
    }
