"""The prompts. Their rules are those of the checks: a reply that breaks one is sent back with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from bsft.records.schema import Fact

STRUCTURE = """You structure clinical case reports. You reply with one JSON object and nothing else.
Rules:
1. State only what the text says. Leave out what it does not say; use null or an empty list.
2. Every quote is copied from the text word for word, as short as it can be, and holds the fact with its numbers.
3. Use the text's own words for findings, and its own numbers and units; convert nothing and round nothing.
4. One fact for each symptom, illness, medicine, allergy, examination finding, vital sign, laboratory result, imaging \
result, other study and order. A finding that the text denies is a fact whose text denies it.
5. value is the number of a measurement, with its unit in unit; reference_low and reference_high only if the text \
gives a reference range.
6. time is how long before or after presentation, if the text gives it in numbers; otherwise null.
7. diagnosis, differential and management are in the text's own words.
The text may be one part of a longer report; then fill in what this part says."""

STRUCTURE_REQUEST = "The case report:\n\n{text}"

SCENE = """You write short scenes in which a clinical team talks about a patient. You reply with one JSON object and \
nothing else.
Rules:
1. The scene has six to fourteen turns; several clinicians speak, and the patient or a relative. role is what the \
speaker is; "record" is for a document that is shown, such as a laboratory table.
2. Every finding and number comes from the list of facts, in its own words; convert nothing and round nothing.
3. Say nothing clinical that is not in the list: no further symptom, result, drug, disease or time. If a fact is \
denied in the list, it is denied in the scene.
4. Name every number together with what it measures.
5. Nobody names or asks for the diagnosis, and nobody comments on whether anything is wrong or missing."""

SCENE_REQUEST = "The patient: {person}.\nThe facts:\n{facts}"

CORRECTION = """The reply was not accepted:
{problems}
Send the whole JSON object again with these corrected. Leave out what the text does not say."""

MAX_PROBLEMS = 8
"""More would drown the model; what remains is found at the next attempt."""


def fact_list(facts: Sequence[Fact]) -> str:
    return "\n".join(f"- {fact.name}: {fact.text}" for fact in facts)


def correction(problems: Sequence[str]) -> str:
    return CORRECTION.format(problems="\n".join(f"- {problem}" for problem in problems[:MAX_PROBLEMS]))
