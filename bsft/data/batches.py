"""From examples to tensors, as separate padded sequences (flat) or as one prefix tree. Both carry the same labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

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
        n_examples, n_answer_tokens: what the loss and the logs count.
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
    longest = max(len(e.ids) for e in examples) - 1
    ids = torch.full((len(examples), longest), pad_id)
    mask = torch.zeros((len(examples), longest), dtype=torch.long)
    positions: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    for row, example in enumerate(examples):
        fed = example.ids[:-1]
        ids[row, : len(fed)] = torch.tensor(fed)
        mask[row, : len(fed)] = 1
        start = len(example.prompt_ids)
        positions += [row * longest + t - 1 for t in range(start, len(example.ids))]
        targets += example.ids[start:]
        weights += label_weights(example, behavior_weight)
    return Batch(
        ids,
        torch.arange(longest).expand(len(examples), -1),
        mask,
        None,
        torch.tensor(positions),
        torch.tensor(targets),
        torch.tensor(weights),
        len(examples),
        sum(len(e.answer_ids) for e in examples),
    )


def tree_batch(examples: Sequence[Example], *, behavior_weight: float) -> Batch:
    """The same sequences as one tree, `(1, T)`; equal labels at equal positions are kept once, their weights summed."""
    tree = build_tree([e.ids[:-1] for e in examples])
    summed: dict[tuple[int, int], float] = {}
    for example, path in zip(examples, tree.paths, strict=True):
        start = len(example.prompt_ids)
        at = path[start - 1 :].tolist()
        for key, weight in zip(
            zip(at, example.ids[start:], strict=True), label_weights(example, behavior_weight), strict=True
        ):
            summed[key] = summed.get(key, 0.0) + weight
    labels = np.array(sorted(summed), dtype=np.int64)
    return Batch(
        torch.from_numpy(tree.ids)[None],
        torch.from_numpy(tree.depths)[None],
        None,
        tree,
        torch.from_numpy(labels[:, 0].copy()),
        torch.from_numpy(labels[:, 1].copy()),
        torch.tensor([summed[position, target] for position, target in labels.tolist()]),
        len(examples),
        sum(len(e.answer_ids) for e in examples),
    )


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
