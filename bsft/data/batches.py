"""From examples to tensors, as separate padded sequences (flat) or as one prefix tree. Both carry the same labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from bsft.data.prefix_tree import PrefixTree, build_tree
from bsft.data.render import Example


@dataclass
class Batch:
    """One forward pass with its labels.

    Attributes:
        input_ids, position_ids: `(B, T)`; a tree has B = 1.
        attention_mask: `(B, T)` for flat batches, else None.
        tree: the prefix tree of a tree batch, else None.
        positions: `(N,)` indices into the flattened `B * T` tokens whose next token is a label.
        targets: `(N,)` the labels.
        weights: `(N,)` summed over the examples that share the label: 1 per answer token, `w_b` per behaviour token.
        n_examples, n_answer_tokens: of the examples in it.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor | None
    tree: PrefixTree | None
    positions: Tensor
    targets: Tensor
    weights: Tensor
    n_examples: int
    n_answer_tokens: int

    def to(self, device: torch.device) -> Batch:
        moved = {name: value.to(device) for name, value in self.__dict__.items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]  # every tensor field takes a tensor


@dataclass
class Step:
    """One optimisation step: its micro-batches and the answer tokens of the whole window, over all ranks."""

    batches: list[Batch]
    n_answer_tokens: int


def label_weights(example: Example, behavior_weight: float) -> list[float]:
    """The weight of each label of an example: the behaviour token's (if it has one), then 1 for each answer token."""
    behavior = [] if example.behavior_id is None else [behavior_weight]
    return behavior + [1.0] * len(example.answer_ids)


def flat_batch(examples: Sequence[Example], *, pad_id: int, behavior_weight: float) -> Batch:
    """Separate sequences as `(B, T)`, padded on the right. The last label is not fed, because nothing follows it."""
    fed = [torch.tensor(e.ids[:-1]) for e in examples]
    ids = pad_sequence(fed, batch_first=True, padding_value=pad_id)
    mask = pad_sequence([torch.ones_like(row) for row in fed], batch_first=True)
    longest, starts = ids.shape[1], [len(e.prompt_ids) for e in examples]
    labelled = [row * longest + t - 1 for row, e in enumerate(examples) for t in range(starts[row], len(e.ids))]
    targets = [target for e, start in zip(examples, starts, strict=True) for target in e.ids[start:]]
    weights = [weight for e in examples for weight in label_weights(e, behavior_weight)]
    positions = torch.arange(longest).expand(len(examples), -1)
    labels = torch.tensor(labelled), torch.tensor(targets), torch.tensor(weights)
    return Batch(ids, positions, mask, None, *labels, len(examples), _n_answer_tokens(examples))


def tree_batch(examples: Sequence[Example], *, behavior_weight: float) -> Batch:
    """The same sequences as one tree, `(1, T)`; equal labels at equal positions are kept once, their weights summed."""
    tree = build_tree([e.ids[:-1] for e in examples])
    summed: dict[tuple[int, int], float] = {}
    for example, path in zip(examples, tree.paths, strict=True):
        start = len(example.prompt_ids)
        at = path[start - 1 :].tolist()
        weights = label_weights(example, behavior_weight)
        for position, target, weight in zip(at, example.ids[start:], weights, strict=True):
            summed[position, target] = summed.get((position, target), 0.0) + weight
    labels = sorted(summed)
    positions, targets = torch.tensor(labels).unbind(1)
    ids, depths = torch.from_numpy(tree.ids)[None], torch.from_numpy(tree.depths)[None]
    distinct = positions.clone(), targets.clone(), torch.tensor([summed[label] for label in labels])
    return Batch(ids, depths, None, tree, *distinct, len(examples), _n_answer_tokens(examples))


def _n_answer_tokens(examples: Sequence[Example]) -> int:
    return sum(len(e.answer_ids) for e in examples)


def flat_batches(
    examples: Sequence[Example], *, max_tokens: int, pad_id: int, behavior_weight: float
) -> Iterator[Batch]:
    """Micro-batches of at most `max_tokens` padded tokens, of sequences of similar length."""
    group: list[Example] = []
    for example in sorted(examples, key=lambda e: len(e.ids)):
        if group and (len(group) + 1) * len(example.ids) > max_tokens:
            yield flat_batch(group, pad_id=pad_id, behavior_weight=behavior_weight)
            group = []
        group.append(example)
    if group:
        yield flat_batch(group, pad_id=pad_id, behavior_weight=behavior_weight)


def tree_batches(examples: Sequence[Example], *, max_tokens: int, behavior_weight: float) -> Iterator[Batch]:
    """Micro-batches of whole cases, filled up to about `max_tokens` distinct tokens."""
    cases: dict[str, list[Example]] = {}
    for example in examples:
        cases.setdefault(example.case_id, []).append(example)
    group: list[Example] = []
    n_tokens = 0
    for case in cases.values():
        for part, size in _parts(case, max_tokens):
            if group and n_tokens + size > max_tokens:
                yield tree_batch(group, behavior_weight=behavior_weight)
                group, n_tokens = [], 0
            group += part
            n_tokens += size
    if group:
        yield tree_batch(group, behavior_weight=behavior_weight)


def _parts(case: list[Example], max_tokens: int) -> Iterator[tuple[list[Example], int]]:
    """Parts of a case with the sizes of their trees: one that is too large is halved until it fits, or is one
    example."""
    size = build_tree([e.ids for e in case]).n_tokens
    if len(case) == 1 or size <= max_tokens:
        yield case, size
        return
    middle = len(case) // 2
    yield from _parts(case[:middle], max_tokens)
    yield from _parts(case[middle:], max_tokens)
