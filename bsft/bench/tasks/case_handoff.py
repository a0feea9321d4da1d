"""Case handoff (balanced; ours).

Asked for a handover in a sentence, the agent gives the one that is faithful to the scene.

Sample: query "How would you hand this patient over?" -> "A 72-year-old woman with a productive cough. Chest
auscultation: coarse crackles at the left base. Allergies: latex. Home: levothyroxine."

Options: the faithful handover, three with one false detail each (examination, allergy, medicine, age), one unjustified
concern. Metric: accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from bsft.bench.casefile import CaseFile
from bsft.bench.person import Person
from bsft.bench.records import Item, TaskSpec
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, framed, question

SPEC = TaskSpec(name="case_handoff", group="balanced", metric="accuracy", source="bsft")

DISTRACTORS = 3
MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS = 8, 25


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    entry = case.exams[0]
    true = {
        "an_age": case.person.an_age,
        "noun": case.person.noun,
        "complaint": case.text("complaint"),
        "site": entry.site,
        "finding": case.text(f"exam:{entry.id}"),
        "allergies": ", ".join(case.allergens) or "none known",
        "mx": case.text("medication:comorbidity"),
    }
    false = [
        {"finding": case.text(f"exam_normal:{entry.id}")},
        {"allergies": ", ".join((_other_allergen(case, rng), *case.allergens[1:]))},
        {"mx": case.text("denied:medication")},
    ]
    if case.person.age_years >= 20:
        years = case.person.age_years + rng.choice((-1, 1)) * rng.randint(MIN_AGE_CHANGE_YEARS, MAX_AGE_CHANGE_YEARS)
        if 18 <= years <= 95:
            false.append({"an_age": Person(float(years), case.person.sex, case.person.weight_kg).an_age})
    replies = [Reply("correct", False, framed(case, SPEC.name, true))]
    for i, change in enumerate(rng.sample(false, DISTRACTORS), start=1):
        replies.append(Reply(f"distractor_{i}", False, framed(case, SPEC.name, {**true, **change})))
    query = question(case, SPEC.name, rng)
    yield answer_item(SPEC, case, case.core, query, replies, "correct", rng, autonomy="L2")


def _other_allergen(case: CaseFile, rng: random.Random) -> str:
    return rng.choice([name for name in case.bank.allergens if name not in case.allergens])
