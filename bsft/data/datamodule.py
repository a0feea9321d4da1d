"""The DataModule: serves a benchmark's items as optimisation steps and as candidates to score."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence, Sized
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from bsft import config as cfg
from bsft.bench.records import Item
from bsft.bench.store import BadInput, Benchmark
from bsft.data.batches import Step, flat_batches, tree_batches
from bsft.data.render import Candidates, Example, Renderer


def select_items(benchmark: Benchmark, split: str, data: cfg.DataConfig, limit: int | None) -> list[Item]:
    """Items of a split, restricted to `data.tasks`, up to `limit`, by whole cases in a fixed shuffled order.

    Raises:
        BadInput: an unknown task, or nothing left.
    """
    if unknown := sorted(set(data.tasks) - set(benchmark.tasks)):
        raise BadInput(f"data.tasks: unknown {', '.join(unknown)}; {benchmark.path} has {', '.join(benchmark.tasks)}")
    cases: dict[str, list[Item]] = {}
    for item in benchmark.items(split):
        if not data.tasks or item.task in data.tasks:
            cases.setdefault(item.case_id, []).append(item)
    order = sorted(cases)
    random.Random(0).shuffle(order)
    chosen: list[Item] = []
    for case in order:
        if limit is not None and chosen and len(chosen) + len(cases[case]) > limit:
            break
        chosen += cases[case]
    if not chosen:
        raise BadInput(f"{benchmark.path}: split {split} has no items" + (f" of {data.tasks}" if data.tasks else ""))
    return chosen


def plan_steps(items: Sequence[Item], fit: cfg.FitConfig, seed: int) -> list[list[int]]:
    """Which items each optimisation step holds, for the whole training.

    An epoch cuts each case's items, twins together, into chunks of about `items_per_case`. Chunks go out in rounds, one
    chunk of every case a round, so that a step's `cases_per_step` chunks come from different cases. Batching (flat or
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


class _Remaining(Sampler[int]):
    """Step numbers from `first` on; its length is that of the whole training, as Lightning counts on resume."""

    def __init__(self, data: Sized, first: int) -> None:
        self._n, self._first = len(data), first

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._first, self._n))

    def __len__(self) -> int:
        return self._n


class _Steps(Dataset[Step]):
    """Renders and batches a step when it is asked for."""

    def __init__(
        self, module: BehaviorBenchDataModule, plan: list[list[int]], *, rank: int, world_size: int, pad_id: int
    ) -> None:
        self._module, self._plan = module, plan
        self._rank, self._world_size, self._pad_id = rank, world_size, pad_id

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, number: int) -> Step:
        examples = [self._module.example(i) for i in self._plan[number]]
        total = sum(len(e.answer_ids) for e in examples)
        mine = self._share(examples)
        trainer, weight = self._module.config.trainer, self._module.behavior_weight
        if self._module.batching == "tree":
            batches = tree_batches(mine, max_tokens=trainer.fit.micro_batch_tokens, behavior_weight=weight)
        else:
            batches = flat_batches(
                mine, max_tokens=trainer.fit.micro_batch_tokens, pad_id=self._pad_id, behavior_weight=weight
            )
        return Step(list(batches), total)

    def _share(self, examples: list[Example]) -> list[Example]:
        """This rank's cases of the step."""
        if self._world_size == 1:
            return examples
        cases = list(dict.fromkeys(e.case_id for e in examples))
        own = set(cases[self._rank :: self._world_size])
        return [e for e in examples if e.case_id in own]


class BehaviorBenchDataModule(LightningDataModule):
    """Training steps, validation candidates and evaluation candidates of one job."""

    def __init__(self, config: cfg.Config, benchmark: Benchmark, renderer: Renderer, *, batching: str) -> None:
        super().__init__()
        self.config = config
        self.benchmark = benchmark
        self.renderer = renderer
        self.batching = batching
        method = config.method
        self.behavior_weight = method.behavior.loss_weight if isinstance(method, cfg.BehaviorSftConfig) else 0.0
        self._train: list[Item] = []
        self._by_id: dict[str, Item] = {}
        self.plan: list[list[int]] = []

    def setup(self, stage: str) -> None:
        if stage == "fit" and not self._train:
            data = self.config.data
            self._train = select_items(self.benchmark, data.train_split, data, data.max_train_items)
            self._by_id = {item.id: item for item in self._train}
            self.plan = plan_steps(self._train, self.config.trainer.fit, self.config.seed)

    def example(self, index: int) -> Example:
        item = self._train[index]
        return self.renderer.example(item, self._by_id.get(item.twin_id or ""))

    def candidates(self, split: str, limit: int | None) -> list[Candidates]:
        """A split's items ready for scoring, case by case; `trainer.score.max_items` cuts even a case short."""
        items = select_items(self.benchmark, split, self.config.data, limit)[: self.config.trainer.score.max_items]
        by_id = {item.id: item for item in items}
        with_behavior = self.renderer.vocabulary is not None
        return [
            self.renderer.candidates(item, by_id.get(item.twin_id or ""), with_behavior=with_behavior) for item in items
        ]

    def train_dataloader(self) -> DataLoader[Step]:
        trainer = self.trainer
        assert trainer is not None
        steps = _Steps(
            self,
            self.plan,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            pad_id=self.renderer.tokenizer.pad_token_id or 0,
        )
        sampler = _Remaining(steps, trainer.global_step)
        # a loader draws a number when it starts; from the global generator, a resumed training would draw one more
        return DataLoader(steps, batch_size=None, sampler=sampler, generator=torch.Generator())

    def val_dataloader(self) -> DataLoader[Any]:
        data = self.config.data
        candidates = self.candidates(data.val_split, data.max_val_items)
        return DataLoader(_Whole(candidates), batch_size=None, generator=torch.Generator())


class _Whole(Dataset[list[Candidates]]):
    """The validation set as one element; the scorer cuts it as it likes."""

    def __init__(self, candidates: list[Candidates]) -> None:
        self._candidates = candidates

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> list[Candidates]:
        return self._candidates
