"""What concerns that are not due name, and what edits replace: neither tells by itself which twin or concern it is."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict

import pytest
from engine_cases import all_items

from bsft.bench.problem import draw_edit, growth
from bsft.bench.wordings import load_words
from bsft.records.schema import Item

WORDS = load_words()
EDITS = {
    **{step.id: list(zip(step.done, step.instead, strict=False)) for step in WORDS.problems.steps},
    **{
        order.id: list(itertools.product(map(" and ".join, order.clean), map(" and ".join, order.shown)))
        for order in WORDS.problems.ambiguities
    },
    **{
        times.matter: list(zip(times.clean, (said for said, _ in times.wrong), strict=True))
        for times in WORDS.situations.times
    },
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_lengthen_a_scene_as_often_as_they_shorten_it(name: str) -> None:
    drawn = [draw_edit(EDITS[name], random.Random(seed)) for seed in range(400)]
    assert {words for _, words in itertools.starmap(growth, drawn)} == {0}
    characters = [characters for characters, _ in itertools.starmap(growth, drawn)]
    longer, shorter = sum(n > 0 for n in characters), sum(n < 0 for n in characters)
    assert max(longer, shorter) < 400 * 0.6, (longer, shorter)


def test_a_home_medicine_has_one_word_whether_or_not_it_contradicts_the_history() -> None:
    assert {len(entry.drug.split()) for entry in WORDS.comorbidities} == {1}


def _concerns(items: list[Item]) -> dict[str, dict[bool, Counter[str]]]:
    """Label -> whether it is due -> how often which act is named."""
    named: dict[str, dict[bool, Counter[str]]] = defaultdict(lambda: {True: Counter(), False: Counter()})
    acts = {step.act.lower(): step.label for step in WORDS.problems.steps}
    for item in items:
        if item.variant != "perturbed":
            continue
        for option in item.options:
            for act, label in acts.items():
                if option.label == label and act in option.text.lower():
                    named[label][option.label == item.label][act] += 1
    return named


def test_what_is_never_due_is_never_named() -> None:
    """Otherwise naming it would tell that the concern is not due."""
    items = [
        item for split in ("train", "test", "hard") for item in all_items(split) if item.task == "omission_detection"
    ]
    named = _concerns(items)
    assert set(named) == {step.label for step in WORDS.problems.steps}
    for label, own in named.items():
        total_other = sum(own[False].values())
        assert own[True] and total_other, label
        for act, n in own[False].items():
            if n >= 12 and n / total_other > 0.1:
                assert own[True][act], f"{act} is named {n} times where it is not due, and never where it is"


def test_nobody_is_asked_for_a_pregnancy_test_that_cannot_be_pregnant() -> None:
    items = [item for item in all_items() if item.task == "omission_detection" and item.variant == "perturbed"]
    for item in items:
        story = " ".join(turn.text for turn in item.turns)
        male = any(word in story.split() for word in ("He", "he", "his", "His", "him")) and " she " not in story.lower()
        if male:
            for option in item.options:
                assert "pregnancy test" not in option.text, item.id


def test_a_value_that_is_not_there_is_as_critical_as_one_that_is() -> None:
    """A concern about a vital sign names a critical value also where none was put in."""
    named: dict[bool, list[float]] = {True: [], False: []}
    for item in all_items():
        if item.task != "critical_data_alert" or item.variant != "perturbed":
            continue
        for option in item.options:
            if option.label == "flag_critical_vital" and "oxygen saturation" in option.text:
                numbers = [
                    int(word.strip("%,.?:;")) for word in option.text.split() if word.strip(",.?:;").endswith("%")
                ]
                named[option.label == item.label] += numbers
    assert named[True] + named[False]
    assert max(named[True] + named[False]) <= 91
