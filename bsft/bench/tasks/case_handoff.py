"""Case handoff.

Abstract: asked for a handover in a sentence, the agent gives the one that is faithful to the scene.
Group: balanced. Source: ours.
Options: two details (of examination, allergies, medicine and age), each true or false, in all four combinations, and
    one unjustified concern. The false detail is drawn as the true one was: neither is more plausible. In recorded cases
    the faithful handover stands beside three with one false detail each.
Metric: accuracy.
Oracle: the facts of the case. In recorded cases the false complaint is that of a case that has little in common with
    this one, and the false reading differs by at least an eighth.
Sample: "How would you hand this patient over?" -> "A 72-year-old woman with a productive cough; chest auscultation:
    coarse crackles at the left base; takes levothyroxine."
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

from bsft.bench.items import answer_item
from bsft.bench.left_out import LeftOut
from bsft.bench.person import Person
from bsft.bench.scene import fill
from bsft.bench.simulated.allergies import draw_allergens
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.simulated.simulate import draw_person
from bsft.bench.spoken import spoken
from bsft.records.schema import Item, TaskSpec

if TYPE_CHECKING:
    from bsft.bench.recorded.case import RecordedCase
    from bsft.bench.recorded.other_cases import OtherCases

SPEC = TaskSpec(name="case_handoff", group="balanced", metric="accuracy", source="bsft")

MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS = 8, 25
MAX_TRIES = 20
"""False details are drawn again where they are the true ones."""
PARTS = ("examination", "allergies", "medicine")
"""Details beside the age."""
READING_FACTORS = (0.8, 0.85, 1.15, 1.2)
"""A false reading is the true one times one of these."""


def simulated_item(case: SimulatedCase) -> Item:
    """The item of a simulated case.

    Raises:
        LeftOut: fewer than two details could be otherwise.
    """
    rng = case.rng(SPEC.name)
    details = next((found for _ in range(MAX_TRIES) if len(found := _details(case, rng)) > 1), None)
    if details is None:
        raise LeftOut("no two details of the handover that could be otherwise")
    answers = case.answers(SPEC.name, _contents(case, details, _two(details, rng), rng), rng)
    scene = case.undecided_scene("story", "background", "allergy", "examination")
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)


def _two(details: Mapping[str, tuple[str, str]], rng: random.Random) -> tuple[str, str]:
    first, second = rng.sample(sorted(details), 2)
    return first, second


def _details(case: SimulatedCase, rng: random.Random) -> dict[str, tuple[str, str]]:
    """Detail -> its true and its false version, each equally likely to be the true one in a case like this."""
    part = case.words.answers.handover
    shown = case.exams[1]
    unseen = rng.choice([entry for entry in case.condition.exam if entry not in case.exams])
    other_allergens = draw_allergens(case.condition, case.person, case.text("medication:comorbidity"), rng)
    details = {
        "examination": tuple(
            fill(part["examination"], {"site": spoken(entry.site), "finding": case.text(f"exam:{entry.id}")})
            for entry in (shown, unseen)
        ),
        "medicine": tuple(
            fill(part["medicine"], {"medicine": case.text(fact)})
            for fact in ("medication:comorbidity", "denied:medication")
        ),
        "allergies": tuple(
            fill(part["allergies"], {"allergies": ", ".join(names) or "none known"})
            for names in (case.allergens, other_allergens)
        ),
    }
    other = draw_person(case.condition, rng)
    if abs(other.age_years - case.person.age_years) >= MIN_AGE_CHANGE_YEARS:
        details["age"] = (case.person.an_age, Person(other.age_years, case.person.sex, case.person.weight_kg).an_age)
    return {name: (true, false) for name, (true, false) in details.items() if true != false}


def _contents(
    case: SimulatedCase, details: Mapping[str, tuple[str, str]], pair: tuple[str, str], rng: random.Random
) -> list[dict[str, str]]:
    """The four combinations of two details, the true one first; the sentence has two parts beside the age."""
    parts = [name for name in pair if name != "age"]
    if len(parts) < 2:
        parts.append(rng.choice([name for name in PARTS if name in details and name not in parts]))
    rng.shuffle(parts)
    contents = []
    for falsehoods in product((0, 1), repeat=2):
        version = {name: details[name][0] for name in parts} | {
            name: details[name][falsehood] for name, falsehood in zip(pair, falsehoods, strict=True)
        }
        an_age = version.get("age", case.person.an_age)
        contents.append({"complaint": case.plain_complaint(), "an_age": an_age, "p": version[parts[0]], "q": version[parts[1]]})
    return contents


def recorded_item(case: RecordedCase, others: OtherCases) -> Item:
    """The item of a recorded case.

    Raises:
        LeftOut: no vital sign to hand over, or no other complaint.
    """
    rng = case.rng(SPEC.name)
    scene = case.base_scene
    usable = [v for v in case.shown_vitals if v not in ("temperature_c", "oxygen_saturation_percent")]
    if not usable:
        raise LeftOut("no vital sign to hand over")
    vital_id = rng.choice(usable)
    true = {"vital": case.vital_text(vital_id)}
    reading = case.vital_text(vital_id, case.vital(vital_id) * rng.choice(READING_FACTORS))
    false = [{"vital": reading}, {"complaint": others.complaint(case)}, _other_person(case.person, rng)]
    contents = [true, *({**true, **change} for change in rng.sample(false, len(false)))]
    answers = case.answers(SPEC.name, contents, rng)
    return answer_item(SPEC, case, scene, case.question(SPEC.name, rng), answers, rng)


def _other_person(person: Person, rng: random.Random) -> dict[str, str]:
    """The other sex or, of an adult, another age."""
    years = person.age_years + rng.choice((-1, 1)) * rng.randint(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS)
    if person.age_years >= 20 and 18 <= years <= 95:
        return {"an_age": Person(float(years), person.sex, person.weight_kg).an_age}
    return {"noun": Person(person.age_years, person.other_sex, 0.0).noun}
