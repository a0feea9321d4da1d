"""The DataModule: serves a benchmark's items as candidates to score and as the optimisation steps of a training, each
made when its turn comes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from bsft import config as cfg
from bsft.data.batches import Batch, Step, flat_batches, tree_batches
from bsft.data.render import Candidates, Example, Renderer
from bsft.data.selection import select_items
from bsft.records.schema import Item
from bsft.records.store import Benchmark, Head, Items


class BehaviorBenchDataModule(LightningDataModule):
    """Training steps, validation candidates and evaluation candidates of one job."""

    def __init__(self, config: cfg.Config, benchmark: Benchmark, renderer: Renderer, *, batching: str) -> None:
        super().__init__()
        self.config = config
        self.benchmark = benchmark
        self.renderer = renderer
        self.batching = batching
        method = config.method
        behavior = method.behavior if isinstance(method, cfg.BehaviorSftConfig) else None
        self.behavior_weight = behavior.loss_weight if behavior else 0.0
        self._every_turn = behavior is not None and behavior.every_turn
        self._is_shuffled = behavior is not None and behavior.shuffled
        self.train_items: Items | None = None
        self._token_of: Sequence[int] = ()
        self.plan: list[list[int]] = []
        accelerator = config.trainer.accelerator
        # on a GPU, a process of its own makes steps ahead; on a CPU it would take its time from the training
        self.n_workers = int(accelerator == "cuda" or (accelerator == "auto" and torch.cuda.is_available()))

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.train_items is None:
            data = self.config.data
            self.train_items = select_items(self.benchmark, data.train_split, data, data.max_train_items)
            if self._is_shuffled:
                n_items = len(self.train_items)
                self._token_of = random.Random(f"{self.config.seed} tokens").sample(range(n_items), n_items)
            self.plan = plan_steps(self.train_items.heads(), self.config.trainer.fit, self.config.seed)

    def examples(self, index: int) -> list[Example]:
        """What is learnt of a training item: its reply, and with `every_turn` the behaviour after every turn."""
        assert self.train_items is not None
        item, twin = self.train_items[index], self.train_items.twin(index)
        decisions = self.renderer.decisions(item, twin) if self._every_turn else []
        behavior = self.train_items[self._token_of[index]].gold_behavior if self._token_of else None
        return [self.renderer.example(item, twin, behavior), *decisions]

    def candidates(self, split: str, limit: int | None) -> list[Candidates]:
        """A split's items ready for scoring, case by case; `trainer.score.max_items` cuts even a case short."""
        items = select_items(self.benchmark, split, self.config.data, limit)[: self.config.trainer.score.max_items]
        return [self.renderer.candidates(item, items.twin(i)) for i, item in enumerate(items)]

    def without_scenes(self, items: Iterable[Item]) -> list[Candidates]:
        """The items' requests and options alone, ready for scoring."""
        return [self.renderer.without_scene(item) for item in items]

    def steps(self, *, rank: int = 0, world_size: int = 1) -> Steps:
        """The training's steps; after `setup("fit")`."""
        return Steps(self.plan, self.examples, self._batches, rank=rank, world_size=world_size)

    def _batches(self, examples: Sequence[Example]) -> Iterator[Batch]:
        max_tokens, weight = self.config.trainer.fit.micro_batch_tokens, self.behavior_weight
        if self.batching == "tree":
            return tree_batches(examples, max_tokens=max_tokens, behavior_weight=weight)
        pad_id = self.renderer.tokenizer.pad_token_id or 0
        return flat_batches(examples, max_tokens=max_tokens, pad_id=pad_id, behavior_weight=weight)

    def train_dataloader(self) -> DataLoader[Step]:
        trainer = self.trainer
        assert trainer is not None
        steps = self.steps(rank=trainer.global_rank, world_size=trainer.world_size)
        # a loader draws a number when it starts; from the global generator, a resumed training would draw one more
        return DataLoader(
            steps,
            batch_size=None,
            sampler=Remaining(steps, trainer.global_step),
            generator=torch.Generator(),
            num_workers=self.n_workers,
            multiprocessing_context="fork" if self.n_workers else None,
            worker_init_fn=_tokenise_on_one_thread,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        data = self.config.data
        candidates = self.candidates(data.val_split, data.max_val_items)
        # all as one element, which the scorer cuts as it likes
        return DataLoader([candidates], batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]


def _tokenise_on_one_thread(worker: int) -> None:
    """A forked process may not use the threads of the one that it was forked from."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


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
