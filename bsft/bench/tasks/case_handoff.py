"""Case handoff (balanced; ours).

Asked for a handover in a sentence, the agent gives the one that is faithful to the scene.

Sample: query "How would you hand this patient over?" -> "A 72-year-old woman with a productive cough; chest
auscultation: coarse crackles at the left base; takes levothyroxine."

Options: two details (of examination, allergies, medicine and age), each true or false, in all four combinations, and
one unjustified concern. The false detail is drawn as the true one was: neither is more plausible. Metric: accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations, product

from bsft.bench.casefile import CaseFile
from bsft.bench.person import Person
from bsft.bench.perturb import spoken
from bsft.bench.records import Item, TaskSpec
from bsft.bench.scene import fill
from bsft.bench.simulate import draw_person
from bsft.bench.tasks.claims import Reply
from bsft.bench.tasks.common import answer_item, common_lengths, question, replies_of

SPEC = TaskSpec(name="case_handoff", group="balanced", metric="accuracy", source="bsft")

MIN_AGE_CHANGE_YEARS = 8
MAX_TRIES = 20
"""A case with few details is given other false ones until four sentences of similar length are found."""
PARTS = ("examination", "allergies", "medicine")
"""Details beside the age."""


def items(case: CaseFile) -> Iterator[Item]:
    rng = case.rng(SPEC.name)
    tries = (_replies(case, _details(case, rng), rng) for _ in range(MAX_TRIES))
    replies = next((made for made in tries if made), None)
    if replies is None:
        raise ValueError(f"{case.case.id}: no two details of the handover differ in words of similar length")
    yield answer_item(SPEC, case, case.core, question(case, SPEC.name, rng), replies, "correct", rng, autonomy="L2")


def _replies(case: CaseFile, details: Mapping[str, tuple[str, str]], rng: random.Random) -> list[Reply]:
    """Handovers about the first two details, in a random order, that make four sentences of similar length; or none."""
    pairs = list(combinations(details, 2))
    for pair in rng.sample(pairs, len(pairs)):
        replies = replies_of(case, SPEC.name, _contents(case, details, pair, rng))
        if common_lengths(replies):
            return replies
    return []


def _details(case: CaseFile, rng: random.Random) -> dict[str, tuple[str, str]]:
    """Detail -> its true and its false version, each equally likely to be the true one in a case like this."""
    part = case.words.replies.handover
    shown = case.exams[1]
    unseen = rng.choice([entry for entry in case.condition.exam if entry not in case.exams])
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
            for names in (case.allergens, case.foils.draw_allergens(case.condition, case.home.drug, rng))
        ),
    }
    other = draw_person(case.condition, rng)
    if abs(other.age_years - case.person.age_years) >= MIN_AGE_CHANGE_YEARS:
        details["age"] = (case.person.an_age, Person(other.age_years, case.person.sex, case.person.weight_kg).an_age)
    return {name: (true, false) for name, (true, false) in details.items() if true != false}


def _contents(
    case: CaseFile, details: Mapping[str, tuple[str, str]], pair: tuple[str, str], rng: random.Random
) -> list[dict[str, str]]:
    """The four combinations of two details, the true one first; the sentence has two parts beside the age."""
    parts = [name for name in pair if name != "age"]
    if len(parts) < 2:
        parts.append(rng.choice([name for name in PARTS if name in details and name not in parts]))
    rng.shuffle(parts)
    contents = []
    for truths in product((0, 1), repeat=2):
        version = {name: details[name][0] for name in parts} | {
            name: details[name][truth] for name, truth in zip(pair, truths, strict=True)
        }
        contents.append({
            "an_age": version.get("age", case.person.an_age),
            "noun": case.person.noun,
            "complaint": case.text("complaint"),
            "p": version[parts[0]],
            "q": version[parts[1]],
        })  # fmt: skip
    return contents
