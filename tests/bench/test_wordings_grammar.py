"""Every form of every wording, against families of faults that alternatives which do not fit together make."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bsft.bench.grammar import choose, tidy
from bsft.bench.wordings import WORDINGS, load_words
from bsft.records.untrusted import read_yaml

FORMS = 30
"""Forms drawn of each template: enough to meet each of its alternatives."""
WHO = (
    r"(?:the transport people|the (?!transport)\w+|everything|we|you|they|anyone|anybody|someone|somebody|pharmacy"
    r"|\{subj\})"
)
PARTICIPLE = (
    r"\w+ed|\w+wn|given|taken|written|spoken|been|had|got|sent|rung|heard|told|read|come|seen|put|done|gone|met|"
    r"chosen|left|kept|found|made|begun|just|already|really"
)

FAULTS = {
    "a participle has to follow has or have": rf"\b(?-i:H)(?:as|ave) {WHO} (?!(?:{PARTICIPLE})\b)\w+",
    "an infinitive follows will, did or do": (
        rf"\b(?:will|did|do|does) {WHO} (?:going|been|is|are|was|\w+ed)\b(?<!need)"
    ),
    "an adjective has to follow is or was": rf"\b(?:is|are|was|were) {WHO} (?:be|have|do|get|turned|write)\b",
    "a pronoun stands before out, up or off": r"\b(?:leave|sort|take|put|cross|strike)s? (?:out|up|off) (?:it|them)\b",
    "two infinitives need to": r"\b(?:we|I|they|you) (?:need|want|ought) (?:get|go|do|be|ask|check|send|have)\b",
    "sort out, not up": r"\bsort (?:that|it|this) up\b",
    "how asks for an object": r"\bhow do I (?:say|tell|write)\?",
    "what for stands apart": r"\bwhat for do\b",
    "a word is doubled": r"\b(?!had\b|that\b|two\b|four\b)([a-z]{2,}) \1\b",
    "an aim needs a sentence": r"\bTo (?:avoid|prevent) [^.,;\n]*;",
    "a mark follows a mark": r"[,;:][.,;:?]|\?[.?]",
}  # fmt: skip


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def forms(template: str) -> set[str]:
    return {tidy(choose(template, random.Random(i))) for i in range(FORMS if "[" in template else 1)}


@pytest.mark.parametrize("file", sorted(WORDINGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_form_of_a_wording_has_a_known_fault(file: Path) -> None:
    all_forms = "\n".join(sorted({form for template in texts(read_yaml(file)) for form in forms(template)}))
    found = [
        f"{name}: {all_forms[match.start() - 40 : match.end() + 40]!r}"
        for name, fault in FAULTS.items()
        for match in re.finditer(fault, all_forms, re.IGNORECASE | re.MULTILINE)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "Has the sample get through?", "Have we write down the allergies?", "Will everything going to be all right?",
        "Were the results turned out to be wrong?", "The plan leaves out it.",
        "We need get the right one.",
        "Sort that up first.", "How do I say?", "What for do we keep her?", "To avoid harm; let us wait.",
        "the the plan",
    ],
)  # fmt: skip
def test_the_rules_find_what_they_are_for(text: str) -> None:
    assert any(re.search(fault, text, re.IGNORECASE) for fault in FAULTS.values())


def test_allergies_are_named_as_such() -> None:
    """The question is not always heard, and a substance alone does not say that it is an allergy."""
    for voice, templates in load_words().conversation.topics["allergy"]["answer"].items():
        for template in templates:
            for form in forms(template):
                assert "allerg" in form.replace("{allergies}", "").lower(), (voice, form)


def test_every_story_tells_what_replies_take_from_it() -> None:
    story = load_words().conversation.topics["story"]
    told = [
        set(re.findall(r"\{(\w+)\}", t.lower()))
        for act in story
        if act != "ask"
        for ts in story[act].values()
        for t in ts
    ]
    shared = set.intersection(*told)
    for request in load_words().requests:
        fields = {field.lower() for reply in request.reply for field in re.findall(r"\{(\w+)\}", reply)}
        assert fields & {"a", "b", "c", "ta", "tb", "tc"} <= shared, request.id
