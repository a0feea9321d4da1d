"""Batches: flat and tree batches carry the same labels with the same weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bsft.data.batches import Batch, flat_batch, flat_batches, label_weights, tree_batch, tree_batches
from bsft.data.render import Example

PAD = 0
BEHAVIOR = 9


def example(prompt: Sequence[int], answer: Sequence[int], *, behavior: int | None = None, case: str = "c") -> Example:
    return Example("i", case, tuple(prompt), behavior, tuple(answer))


FIRST = example([1, 2], [3, 4], behavior=BEHAVIOR)
SECOND = example([1, 2], [3, 5], behavior=BEHAVIOR)
THIRD = example([1], [6])


def labels_of(batch: Batch) -> Counter[tuple[tuple[int, ...], int]]:
    """What a batch teaches: (ids read, target) -> weight."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    width = batch.input_ids.shape[1]
    for position, target, weight in zip(
        batch.positions.tolist(), batch.targets.tolist(), batch.weights.tolist(), strict=True
    ):
        if batch.tree is None:
            row, column = divmod(position, width)
            assert batch.attention_mask is not None and batch.attention_mask[row, : column + 1].all()
            read = batch.input_ids[row, : column + 1].tolist()
        else:
            read = [
                int(batch.input_ids[0, k])
                for k in range(position + 1)
                if position < batch.tree.subtree_end[k]  # ancestors, in order of depth
            ]
        found[tuple(read), target] += weight
    return found


def test_a_flat_batch_written_down() -> None:
    batch = flat_batch([FIRST, THIRD], pad_id=PAD, behavior_weight=0.5)
    assert batch.input_ids.tolist() == [[1, 2, 9, 3], [1, 0, 0, 0]]
    assert batch.attention_mask is not None
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3]] * 2
    assert batch.positions.tolist() == [1, 2, 3, 4]
    assert batch.targets.tolist() == [9, 3, 4, 6]
    assert batch.weights.tolist() == [0.5, 1, 1, 1]
    assert (batch.n_examples, batch.n_answer_tokens, batch.tree) == (2, 3, None)


def test_a_tree_batch_written_down() -> None:
    """The two examples share everything that is read, and two of their three labels."""
    batch = tree_batch([FIRST, SECOND], behavior_weight=0.5)
    assert batch.input_ids.tolist() == [[1, 2, 9, 3]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3]]
    assert batch.positions.tolist() == [1, 2, 3, 3]
    assert batch.targets.tolist() == [9, 3, 4, 5]
    assert batch.weights.tolist() == [1, 2, 1, 1]
    assert (batch.n_examples, batch.n_answer_tokens, batch.attention_mask) == (2, 4, None)


def test_the_behaviour_weight_is_that_of_the_token_only() -> None:
    assert label_weights(FIRST, 3.0) == [3.0, 1.0, 1.0]
    assert label_weights(THIRD, 3.0) == [1.0]


EXAMPLES = st.lists(
    st.builds(
        example,
        st.lists(st.integers(1, 2), min_size=1, max_size=6),
        st.lists(st.integers(1, 2), min_size=1, max_size=4),
        behavior=st.sampled_from([None, 8, 9]),
        case=st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=8,
)


@given(EXAMPLES, st.sampled_from([0.0, 0.5, 1.0]))
def test_flat_and_tree_teach_the_same(examples: list[Example], weight: float) -> None:
    flat = flat_batch(examples, pad_id=PAD, behavior_weight=weight)
    tree = tree_batch(examples, behavior_weight=weight)
    assert labels_of(flat) == labels_of(tree)
    assert (flat.n_examples, flat.n_answer_tokens) == (tree.n_examples, tree.n_answer_tokens)
    assert tree.input_ids.numel() <= flat.input_ids.numel()


@given(EXAMPLES, st.integers(1, 40))
def test_micro_batches_teach_what_one_batch_teaches(examples: list[Example], max_tokens: int) -> None:
    flat = list(flat_batches(examples, max_tokens=max_tokens, pad_id=PAD, behavior_weight=1.0))
    tree = list(tree_batches(examples, max_tokens=max_tokens, behavior_weight=1.0))
    whole = labels_of(flat_batch(examples, pad_id=PAD, behavior_weight=1.0))
    for batches in (flat, tree):
        assert sum(map(labels_of, batches), Counter()) == whole
        assert sum(b.n_answer_tokens for b in batches) == sum(len(e.answer_ids) for e in examples)
        assert sum(b.n_examples for b in batches) == len(examples)
        assert all(b.input_ids.numel() <= max_tokens or b.n_examples == 1 for b in batches)


def test_a_case_stays_in_one_tree_when_it_fits() -> None:
    cases = [example([case, 1], [2, 3], case=str(case)) for case in (4, 5, 4, 5)]
    assert [b.n_examples for b in tree_batches(cases, max_tokens=4, behavior_weight=1.0)] == [2, 2]
    assert [b.n_examples for b in tree_batches(cases, max_tokens=8, behavior_weight=1.0)] == [4]


def test_moving_a_batch_moves_every_tensor() -> None:
    for batch in (tree_batch([FIRST], behavior_weight=1.0), flat_batch([FIRST], pad_id=PAD, behavior_weight=1.0)):
        moved = batch.to(torch.device("meta"))
        tensors = [value for value in vars(moved).values() if isinstance(value, torch.Tensor)]
        assert all(tensor.is_meta for tensor in tensors)
        assert len(tensors) == (5 if batch.tree else 6)
        assert (moved.tree, moved.n_examples) == (batch.tree, 1)


def test_no_examples_make_no_batches() -> None:
    assert list(tree_batches([], max_tokens=4, behavior_weight=1.0)) == []
    assert list(flat_batches([], max_tokens=4, pad_id=PAD, behavior_weight=1.0)) == []
    with pytest.raises(ValueError, match="at least one sequence"):
        tree_batch([], behavior_weight=1.0)
