"""The methods as small objects. What distinguishes one from another is said here and in its YAML, nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bsft import config as cfg
from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS, Group, Item
from bsft.records.store import Head

HeadT = TypeVar("HeadT", Head, Item)


@dataclass(frozen=True)
class Method:
    """What a method tells the model, whether it is fitted, and its behaviour policy (None: no behaviour tokens)."""

    name: str
    system_prompt: str
    n_exemplars: int = 0
    sft: cfg.SftConfig | None = None
    behavior: cfg.BehaviorConfig | None = None

    @property
    def needs_fit(self) -> bool:
        return self.sft is not None


def method_of(config: cfg.MethodConfig) -> Method:
    """The method that a config describes."""
    match config:
        case cfg.BehaviorSftConfig():
            return Method(config.name, config.system_prompt, sft=config, behavior=config.behavior)
        case cfg.SftConfig():
            return Method(config.name, config.system_prompt, sft=config)
        case cfg.FewShotConfig():
            return Method(config.name, config.system_prompt, n_exemplars=config.k)
        case cfg.InstructedConfig():
            return Method(config.name, f"{config.system_prompt} {config.instruction}")
        case _:
            return Method(config.name, config.system_prompt)


def choose_exemplars(train_items: Iterable[HeadT], k: int, seed: int) -> list[HeadT]:
    """Fixed exemplars from the training split, the same for every item that is scored.

    Groups take turns in spectrum order; each exemplar is of a task and a case not used before while there are any. A
    proactive exemplar is a perturbed item and is followed by its clean twin, which shows the same scene without a
    problem; the twin comes in addition to the `k`.

    Raises:
        BadInput: the training split has fewer suitable items than `k`.
    """
    pool: dict[Group, list[HeadT]] = {group: [] for group in BEHAVIORS}
    by_id: dict[str, HeadT] = {}
    for item in train_items:
        by_id[item.id] = item
        if item.variant == ("perturbed" if item.group == "proactive" else "plain"):
            pool[item.group].append(item)
    for items in pool.values():
        items.sort(key=lambda item: hashlib.sha256(f"{seed} {item.id}".encode()).digest())
    groups = [group for group in BEHAVIORS if pool[group]]
    chosen: list[HeadT] = []
    for i in range(k):
        if not groups or not (rest := pool[groups[i % len(groups)]]):
            raise BadInput(f"method.k={k}: the training split has only {len(chosen)} items that can serve as exemplars")
        chosen.append(rest.pop(_freshest(rest, chosen)))
    shown: list[HeadT] = []
    for item in chosen:
        shown.append(item)
        if item.twin_id is not None and item.twin_id in by_id:
            shown.append(by_id[item.twin_id])
    return shown


def _freshest(candidates: Sequence[HeadT], used: Sequence[HeadT]) -> int:
    tasks, cases = {item.task for item in used}, {item.case_id for item in used}
    return min(range(len(candidates)), key=lambda i: (candidates[i].task in tasks) + (candidates[i].case_id in cases))
