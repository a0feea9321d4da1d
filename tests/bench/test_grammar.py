"""Wordings with alternatives."""

from __future__ import annotations

import random

import pytest

from bsft.bench.grammar import choose, n_forms, tidy


def test_a_choice_takes_every_alternative_and_leaves_fields() -> None:
    rng = random.Random(0)
    found = {choose("[a|b [c|d]|] {x}", rng) for _ in range(200)}
    assert found == {"a {x}", "b c {x}", "b d {x}", " {x}"}
    assert n_forms("[a|b [c|d]|] {x}") == 4


def test_empty_alternatives_leave_no_space() -> None:
    assert tidy("So  what , then ?") == "So what, then?"


@pytest.mark.parametrize("template", ["[a|b", "a]"])
def test_brackets_that_do_not_match_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        n_forms(template)
