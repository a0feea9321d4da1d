"""Scenes: filling templates, editing one field, and the conversation around a case."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from engine_cases import all_cases, case_of

from bsft.bench.grammar import n_forms
from bsft.bench.scene import Scene, Slot, fill
from bsft.bench.wordings import N_HELD_OUT, load_words

LENGTHS = {1: (3, 5), 2: (5, 14), 3: (9, 28), 4: (15, 42)}
"""Level -> turns of a scene."""


def small_scene() -> Scene:
    return Scene((
        Slot("one", "Nurse", "nurse", "{Subj} has {x}.", {"subj": "she", "x": "a cough"}),
        Slot("two", "Resident", "resident", "{finding} at the base.", {"finding": "dull"}),
    ))  # fmt: skip


def test_capitalised_placeholders_capitalise_the_field() -> None:
    assert fill("{Subj} and {subj}", {"subj": "she"}) == "She and she"


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{nothing}", {})


def test_turns_start_with_a_capital() -> None:
    assert [turn.text for turn in small_scene().turns] == ["She has a cough.", "Dull at the base."]


def test_put_changes_one_field_and_nothing_else() -> None:
    scene = small_scene()
    edited = scene.put("one", x="a fever")
    assert [turn.text for turn in edited.turns] == ["She has a fever.", "Dull at the base."]
    assert scene.turns[0].text == "She has a cough."
    assert edited.locus("one", "x").model_dump() == {"turn": 0, "role": "nurse", "field": "x"}


def test_unknown_slots_and_fields_are_errors() -> None:
    with pytest.raises(KeyError):
        small_scene().put("three", x="")
    with pytest.raises(KeyError):
        small_scene().put("one", y="")


def test_before_cuts_at_the_first_turn_about_one_of_the_topics() -> None:
    asked = small_scene().insert(1, Slot("two/ask", "Nurse", "nurse", "And?", {}))
    assert [slot.id for slot in asked.before("two", "absent")] == ["one"]


def test_nothing_comes_between_a_question_and_its_answer() -> None:
    asked = small_scene().insert(1, Slot("two/ask", "Nurse", "nurse", "And?", {}))
    assert [asked.may_be_cut_at(place) for place in range(4)] == [True, True, False, True]


@pytest.mark.parametrize("slot_id", ["two/accept", "two/agree", "two/answer2", "acted on/lactate"])
def test_an_echo_follows_at_once_what_it_answers(slot_id: str) -> None:
    echoed = small_scene().insert(2, Slot(slot_id, "Nurse", "nurse", "At once.", {}))
    assert [echoed.may_be_cut_at(place) for place in range(4)] == [True, True, False, True]


@pytest.mark.parametrize("task", load_words().answers.questions)
def test_every_task_asks_in_many_forms(task: str) -> None:
    templates = load_words().answers.questions[task]
    assert sum(n_forms(text) for text in templates[:-N_HELD_OUT]) >= 20


@pytest.mark.parametrize("split", ["train", "test_heldout"])
def test_scenes_are_completely_filled_and_as_long_as_their_level(split: str) -> None:
    lengths: dict[int, list[int]] = {level: [] for level in LENGTHS}
    for case in all_cases(split):
        scene = case.scene("allergy", "order")
        assert not re.search(r"[{}|\[\]]|  | [,.;?]", scene.text), scene.text
        lengths[case.level].append(len(scene.slots))
    for level, found in lengths.items():
        fewest, most = LENGTHS[level]
        assert found and fewest <= min(found) and max(found) <= most, (level, min(found), max(found))


def test_many_turns_ask_and_every_question_is_followed_by_an_answer() -> None:
    turns = [slot for case in all_cases("train") for slot in case.scene("story")]
    asking = sum("?" in slot.turn.text for slot in turns)
    assert asking / len(turns) > 0.15
    for case in all_cases("train"):
        slots = case.scene("story").slots
        for slot, after in pairwise(slots):
            assert not slot.id.endswith("/ask") or after.topic == slot.topic, (slot.id, after.id)


def test_answering_tasks_do_not_see_what_the_team_decided() -> None:
    topics = {slot.topic for case in all_cases("train") for slot in case.undecided_scene("story")}
    assert not topics & {"assessment", "order", "teaching", "worry"} and "story" in topics


def test_every_critical_value_of_the_illness_is_acted_on() -> None:
    n = 0
    for case in all_cases("train"):
        scene = case.scene("observations", "laboratory")
        for value_id in (*case.shown_vitals, *case.shown_labs):
            if case.is_alarming(value_id) and value_id in case.condition.acted_on:
                assert f"acted on/{value_id}" in scene, (case.case.id, value_id)
                n += 1
    assert n > 30


def test_patients_who_cannot_speak_do_not_tell_their_story() -> None:
    assert case_of("status_epilepticus", level=3).scene("story")["story"].role == "family"
    assert case_of("pyloric_stenosis", level=3).scene("story")["story"].role == "family"
    assert case_of("community_acquired_pneumonia", level=3).scene("story")["story"].role == "patient"


def test_held_out_templates_are_said_in_their_split_only() -> None:
    conversation = load_words().conversation
    for topic, acts in conversation.topics.items():
        for act, voices in acts.items():
            for voice in voices:
                trained = set(conversation.templates(topic, act, voice, "train"))
                held_out = set(conversation.templates(topic, act, voice, "heldout"))
                assert trained and held_out and not trained & held_out, (topic, act)


def test_every_act_has_at_least_twelve_wordings() -> None:
    conversation = load_words().conversation
    for topic, acts in conversation.topics.items():
        for act in acts:
            forms = sum(n_forms(text) for text in conversation.templates(topic, act, "any", "train"))
            assert forms >= 12, (topic, act, forms)
