"""The complaint with which an answering item opens does not tell which of its answers is right.

`python tests/bench/test_complaints.py` prints the accuracy of a reader of the opening and the options, by task.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

import numpy as np
import pytest
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression

from bsft.bench.bank.load import load_bank
from bsft.bench.simulated.case import SimulatedCase, simulate_case
from bsft.bench.splits import plan_cases
from bsft.bench.tasks import ANSWERING, TASKS
from bsft.records.schema import Item

MAX_ACCURACY = 0.45
DIAGNOSIS_LIKE = ("ddx_reasoning", "treatment_planning", "next_test_selection", "patient_counseling")
_WORD = re.compile(r"[a-z]+")

Candidate = tuple[list[str], bool]
"""The words of an opening crossed with an answer, and whether the answer is right."""


def _cases(split: str, n_cases: int) -> Iterator[SimulatedCase]:
    for plan in plan_cases(load_bank(), n_cases, 0)[split]:
        yield simulate_case(plan.condition, case_id=plan.case_id, split=split, seed=0, level=plan.level)


def _complaint(item: Item) -> str:
    """The complaint in the words of the turn that introduces the patient."""
    opening = next(turn.text for turn in item.turns if re.search(r"\d-(week|month|year)-old", turn.text)).lower()
    known = {phrase for entry in load_bank().presentations.values() for phrase in entry.complaint}
    return max((phrase for phrase in known if phrase in opening), key=len)


def _candidates(item: Item) -> list[Candidate]:
    """Every answer beside the words of the complaint; without the frame, which all answers share."""
    answers = [option for option in item.options if not option.flag]
    texts = [option.text for option in answers]
    start, end = len(os.path.commonprefix(texts)), len(os.path.commonprefix([text[::-1] for text in texts]))
    complaint = _WORD.findall(_complaint(item))
    found = []
    for option in answers:
        content = option.text[start : len(option.text) - end].lower()
        crossed = [f"{word} {content}" for word in ["", " ".join(complaint), *complaint]]
        found.append((crossed, option.label == item.label))
    return found


def _of_split(split: str, n_cases: int, tasks: Container[str]) -> Mapping[str, list[list[Candidate]]]:
    found = defaultdict(list)
    for case in _cases(split, n_cases):
        for module in (module for module in ANSWERING if module.SPEC.name in tasks):
            found[module.SPEC.name].append(_candidates(module.simulated_item(case)))
    return found


def _accuracy(train: Sequence[list[Candidate]], test: Sequence[list[Candidate]]) -> float:
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False)
    model = LogisticRegression(C=3.0, max_iter=60)
    rows = [candidate for candidates in train for candidate in candidates]
    model.fit(hasher.transform(crossed for crossed, _ in rows), [right for _, right in rows])
    scores = [model.decision_function(hasher.transform(crossed for crossed, _ in candidates)) for candidates in test]
    right = [candidates[int(np.argmax(score))][1] for candidates, score in zip(test, scores, strict=True)]
    return float(np.mean(right))


def accuracies(n_cases: int, tasks: Container[str]) -> dict[str, float]:
    """Task -> accuracy on the test split of a reader of complaint and options that is fitted to the train split."""
    train, test = _of_split("train", n_cases, tasks), _of_split("test", n_cases, tasks)
    return {task: _accuracy(train[task], test[task]) for task in train}


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return accuracies(600, DIAGNOSIS_LIKE)


@pytest.mark.parametrize("task", DIAGNOSIS_LIKE)
def test_the_complaint_alone_does_not_tell_the_answer(found: dict[str, float], task: str) -> None:
    assert found[task] <= MAX_ACCURACY


if __name__ == "__main__":
    for name, accuracy in accuracies(int(sys.argv[1]), {task.name for task in TASKS}).items():
        print(f"{name:24} {accuracy:.3f}")
