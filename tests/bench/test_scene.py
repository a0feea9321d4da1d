"""Scenes: filling templates, editing one field, and the base scene of a case."""

from __future__ import annotations

import re

import pytest
from engine_cases import all_cases, case_of

from bsft.bench.scene import Scene, Slot, fill
from bsft.bench.simulated.base_scene import LAYOUTS

MAX_WORDS = 190


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


def test_before_cuts_at_the_first_of_the_named_slots() -> None:
    assert [slot.id for slot in small_scene().before("two", "absent")] == ["one"]


def test_all_layouts_hold_the_same_slots_and_end_with_results_and_order() -> None:
    for layout in LAYOUTS:
        assert sorted(layout) == sorted(LAYOUTS[0])
        assert set(layout[-3:]) == {"laboratory", "imaging", "order"} and layout[-1] == "order"


def test_base_scenes_are_short_and_completely_filled() -> None:
    for split in ("train", "test_heldout"):
        for case in all_cases(split):
            assert not re.search(r"[{}]|\bNone\b|  ", case.base_scene.text), case.base_scene.text
            assert len(case.base_scene.text.split()) <= MAX_WORDS


def test_patients_who_cannot_speak_do_not_tell_their_story() -> None:
    assert case_of("status_epilepticus").base_scene["story"].role == "family"
    assert case_of("pyloric_stenosis").base_scene["story"].role == "family"
    assert case_of("community_acquired_pneumonia").base_scene["story"].role == "patient"


def test_held_out_wordings_appear_in_their_split_only() -> None:
    ordinary = {case.base_scene["order"].template for case in all_cases("train")}
    held_out = {case.base_scene["order"].template for case in all_cases("test_heldout")}
    assert ordinary and held_out and not ordinary & held_out
