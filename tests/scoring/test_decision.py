"""Whether to speak up is read where the errand is done, and which concern among concerns only."""

from __future__ import annotations

import pytest

from bsft.data.render import Candidates
from bsft.records.schema import Item, Option, Turn
from bsft.scoring.choices import Context, Scored
from bsft.scoring.decision import Decision, decide

END = 0
ITEM = Item(
    id="a", case_id="c", task="t", group="proactive", gold_behavior="proactive", autonomy="L3",
    turns=[Turn(speaker="Nurse", role="nurse", text="x")], label="flag_one", split="test",
    options=[
        Option(text="Done.", label="no_flag", flag=False), Option(text="Done. But one.", label="flag_one", flag=True),
        Option(text="Done. But the other.", label="flag_two", flag=True),
    ],
)  # fmt: skip
IDS = ((5, 6, END), (5, 6, 7, 1, END), (5, 6, 7, 2, 3, END))


def scored(begins: float, ends: float, one: float, two: float, *, known: bool = True) -> Scored:
    """`begins` and `ends` are log p of the opener and of the end of turn after the errand."""
    log_probs = [[-1.0, -1.0, ends], [-1.0, -1.0, begins, one, -0.1], [-1.0, -1.0, begins, two, two, -0.1]]
    sums: dict[Context, list[float]] = {None: [float(sum(own)) for own in log_probs]}
    return Scored(Candidates(ITEM, (1,), IDS, ()), None, sums, {None: log_probs} if known else {})


def chosen_and_margin(decision: Decision) -> tuple[int, float | None]:
    return decision.chosen, decision.flag_margin


def test_a_concern_is_raised_where_it_is_likelier_to_begin_than_the_turn_to_end() -> None:
    assert chosen_and_margin(decide(scored(-0.5, -1.0, -2.0, -1.2), None)) == (2, 0.5)
    assert chosen_and_margin(decide(scored(-1.5, -0.5, -2.0, -1.5), None)) == (0, -1.0)


def test_the_spread_is_of_concerns_and_counts_only_what_follows_the_errand() -> None:
    """-0.5, -2.0 and -0.1 on average against -0.5, twice -1.2 and -0.1."""
    assert decide(scored(-0.5, -1.0, -2.0, -1.2), None).spread == pytest.approx(2.6 / 3 - 3.0 / 4)
    assert decide(scored(-0.5, -1.0, -2.0, -1.2, known=False), None).spread == pytest.approx(0.4)


def test_the_threshold_moves_the_decision_and_not_the_margin() -> None:
    assert chosen_and_margin(decide(scored(-0.5, -1.0, -2.0, -1.5), None, threshold=0.6)) == (0, 0.5)


def test_which_concern_does_not_depend_on_its_length() -> None:
    likelier_per_token = scored(-0.1, -3.0, -1.4, -0.9)
    sums = likelier_per_token.log_likelihoods[None]
    assert sums[1] > sums[2]
    assert decide(likelier_per_token, None).chosen == 2


def test_without_token_probabilities_or_stems_the_highest_sum_decides() -> None:
    assert decide(scored(-0.5, -1.0, -2.0, -1.5, known=False), None).chosen == 0
    other = Candidates(ITEM, (1,), ((5, END), (6, 7, END), (8, END)), ())
    found = decide(Scored(other, None, {None: [-3.0, -1.0, -2.0]}, {None: [[-1.0, -2.0], [-1.0], [-2.0]]}), None)
    assert found == Decision(1, 2.0, 1.0)
