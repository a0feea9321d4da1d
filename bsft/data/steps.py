"""The optimisation steps of a training: which items each holds, and how one is made when its turn comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace

import torch
from torch.utils.data import Dataset, Sampler

from bsft import config as cfg
from bsft.data.batches import Batch, Step
from bsft.data.render import Example
from bsft.records.schema import Item
from bsft.records.store import Head


def plan_steps(items: Iterable[Head | Item], fit: cfg.FitConfig, seed: int) -> list[list[int]]:
    """Which items each optimisation step holds, for the whole training.

    An epoch cuts each case's items, twins together, into chunks of about `items_per_case`. Chunks go out in rounds, one
    chunk of every case per round, so that a step's `cases_per_step` chunks come from different cases. Batching (flat or
    tree) plays no part in it.
    """
    cases: dict[str, list[list[int]]] = {}
    place: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        if item.twin_id is not None and item.twin_id in place:
            place[item.twin_id].append(i)
            continue
        unit = [i]
        place[item.id] = unit
        cases.setdefault(item.case_id, []).append(unit)
    steps: list[list[int]] = []
    for epoch in range(fit.max_epochs):
        rng = random.Random(f"{seed} {epoch}")
        rounds: dict[int, list[list[int]]] = {}
        for case in sorted(cases):
            units = list(cases[case])
            rng.shuffle(units)
            for j, chunk in enumerate(_chunks(units, fit.items_per_case)):
                rounds.setdefault(j, []).append(chunk)
        for chunks in rounds.values():
            rng.shuffle(chunks)
            starts = range(0, len(chunks), fit.cases_per_step)
            steps += [[i for chunk in chunks[start : start + fit.cases_per_step] for i in chunk] for start in starts]
    return steps[: fit.max_steps]


def _chunks(units: list[list[int]], size: int | None) -> Iterator[list[int]]:
    chunk: list[int] = []
    for unit in units:
        if size is not None and chunk and len(chunk) + len(unit) > size:
            yield chunk
            chunk = []
        chunk = chunk + unit
    if chunk:
        yield chunk


@dataclass(eq=False)
class Remaining(Sampler[int]):
    """Step numbers from `first` on; its length is that of the whole training, as Lightning counts on resume."""

    data: Sized
    first: int

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, len(self.data)))

    def __len__(self) -> int:
        return len(self.data)


@dataclass(eq=False)
class Steps(Dataset[Step]):
    """Makes a step when it is asked for.

    Attributes:
        plan: numbers of items, step by step.
        examples: reads and renders what is learnt of one.
        batches: makes micro-batches of examples.
        rank, world_size: which share of every step's cases is made.
    """

    plan: Sequence[Sequence[int]]
    examples: Callable[[int], Sequence[Example]]
    batches: Callable[[Sequence[Example]], Iterable[Batch]]
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, number: int) -> Step:
        examples = [example for i in self.plan[number] for example in self.examples(i)]
        n_answer_tokens = sum(len(e.answer_ids) for e in examples)
        cases = list(dict.fromkeys(e.case_id for e in examples))
        if own := set(cases[self.rank :: self.world_size]):
            batches = list(self.batches([e for e in examples if e.case_id in own]))
        else:  # fewer cases than ranks, which have to read together where they share layers
            idle = self.batches([e for e in examples if e.case_id == cases[0]])
            batches = [replace(batch, weights=torch.zeros_like(batch.weights)) for batch in idle]
        return Step(batches, n_answer_tokens)
