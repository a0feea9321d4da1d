"""The DataModule: serves a benchmark's items as optimisation steps and as candidates to score."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from bsft import config as cfg
from bsft.data.batches import Batch, Step, flat_batches, tree_batches
from bsft.data.render import Candidates, Example, Renderer
from bsft.data.selection import select_items
from bsft.data.steps import Remaining, Steps, plan_steps
from bsft.records.schema import Item
from bsft.records.store import Benchmark, Items


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
        on_cuda = config.trainer.accelerator == "cuda" or (
            config.trainer.accelerator == "auto" and torch.cuda.is_available()
        )
        # on a GPU, a process of its own makes steps ahead; on a CPU it would take its time from the training
        self.n_workers = int(on_cuda)

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
        sampler = Remaining(steps, trainer.global_step)
        # a loader draws a number when it starts; from the global generator, a resumed training would draw one more
        return DataLoader(
            steps,
            batch_size=None,
            sampler=sampler,
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
